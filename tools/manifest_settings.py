"""Settings that manifests and deploy/compose.yaml leave at their defaults on purpose, and why; every other is given."""

from collections.abc import Iterable, Iterator, Mapping

LEFT: Mapping[str, tuple[str, ...]] = {
    "an operator changes it for his own hall, in his overlay or .env": (
        "LOG_LEVEL", "TRACES_ENDPOINT", "TRACES_SHARE", "SHUTDOWN_GRACE_SECONDS", "GATEWAY_EXTRA_ORIGINS",
        "GATEWAY_PROXY_HEADER",
        "AUTH_MAILER", "AUTH_MAIL_DIRECTORY", "AUTH_MAIL_FROM", "AUTH_SMTP_HOST", "AUTH_SMTP_PORT",
        "AUTH_SMTP_SECURITY", "AUTH_SMTP_USER", "AUTH_SMTP_PASSWORD_FILE",
        "GATEWAY_ICE_SERVERS", "GATEWAY_TURN_SECRET_FILE", "GATEWAY_TURN_CREDENTIAL_HOURS",
    ),
    "a rule of the hall, whose default is the documented one": (
        "AUTH_ACCESS_TOKEN_SECONDS", "AUTH_REFRESH_TOKEN_DAYS", "GATEWAY_REFRESH_COOKIE_DAYS", "KEY_ROTATION_DAYS",
        "FACT_DAYS", "AUDIT_DAYS", "INVITE_QUOTA", "INVITE_EXPIRY_DAYS", "INVITE_CLAIM_SECONDS",
        "INVITE_SWEEP_SECONDS", "INVITE_CLOSED_INVITATION_DAYS", "INVITE_DOORS", "INVITE_RELAY_SHARE",
        "INVITE_MOST_WAITING", "INVITE_PLACE_HOURS", "ROOM_DIRECTORY_HAND_SECONDS",
        "ROOM_DIRECTORY_HAND_LIMIT", "ROOM_DIRECTORY_HANDS_PER_MINUTE", "ROOM_DIRECTORY_OFFER_SECONDS",
        "ROOM_DIRECTORY_STAGE_LIMIT", "ROOM_DIRECTORY_LISTENER_LIMIT", "ROOM_DIRECTORY_ROOMS_LED_LIMIT",
        "ROOM_DIRECTORY_LOST_SECONDS", "ROOM_DIRECTORY_HOLD_SECONDS", "ROOM_DIRECTORY_CLOSING_SECONDS",
        "ROOM_DIRECTORY_EMPTY_SECONDS", "ROOM_DIRECTORY_PERMIT_SECONDS", "ROOM_DIRECTORY_RELAY_SHARE",
        "ROOM_DIRECTORY_RELAY_LOST_SECONDS", "ROOM_DIRECTORY_REPORTS_PER_HOUR", "ROOM_DIRECTORY_ENDED_ROOM_DAYS",
        "ROOM_DIRECTORY_RESOLVED_REPORT_DAYS", "ROOM_DIRECTORY_WAITING_LIMIT", "ROOM_DIRECTORY_ENTRIES_PER_SECOND",
        "ROOM_DIRECTORY_WEB_LISTENER_LIMIT",
    ),
    "a bound that fits any machine, or is measured at the start": (
        "GATEWAY_REQUESTS_PER_SECOND", "GATEWAY_REQUEST_BURST", "GATEWAY_MAX_STREAMS", "GATEWAY_MAX_STREAMS_PER_USER",
        "GATEWAY_STREAM_OPENS_PER_SECOND", "GATEWAY_STREAM_QUEUE_EVENTS", "GATEWAY_RING_EVENTS",
        "GATEWAY_MAX_LISTENERS", "GATEWAY_MAX_LISTENERS_PER_USER", "GATEWAY_MAX_LISTENERS_PER_NETWORK",
        "GATEWAY_MAX_LISTENER_BITS_PER_SECOND",
        "GATEWAY_MAX_WEB_LISTENERS", "GATEWAY_MAX_WEB_LISTENERS_PER_NETWORK",
        "GATEWAY_MAX_SPEAKERS", "GATEWAY_MAX_SPEAKERS_PER_USER", "GATEWAY_MAX_SPEAKERS_PER_NETWORK",
        "GATEWAY_MAX_TRIALS",
        "GATEWAY_RECHECK_SECONDS", "GATEWAY_DRAIN_SECONDS", "MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET",
        "MEDIA_RELAY_AUDIENCE_PACKET_MS", "MEDIA_RELAY_PROGRAMME_BITS_PER_SECOND", "MEDIA_RELAY_LADDER",
        "MEDIA_RELAY_SENDER_THREADS",
        "MEDIA_RELAY_PROGRAMME_THREADS", "MEDIA_RELAY_ENCODER_EFFORT",
        "MEDIA_RELAY_HANDSHAKES_PER_SOURCE_PER_SECOND", "MEDIA_RELAY_HALF_OPEN_SESSIONS",
        "MEDIA_RELAY_TCP_CONNECTIONS_PER_SOURCE",
    ),
    "on unless the number is somebody else's on TCP": ("MEDIA_RELAY_TCP",),
    "the bus is signed by the services' own authority": ("NATS_CA_FILE",),
    "one hall a namespace or machine: the name it has by itself": ("DEPLOYMENT", "DATABASE_SCHEMA"),
    "of make run: it starts the processes, and the gateway serves TLS itself there": (
        "READY_FILE", "GATEWAY_TLS_CERT", "GATEWAY_TLS_KEY", "GATEWAY_OWNER_LINK_FILE",
    ),
    "of the tests' browser": ("GATEWAY_TRUSTED_TYPES_POLICIES",),
    "deploy/start.py makes it of the pod's name and node": ("MEDIA_RELAY_RELAY_ID", "MEDIA_RELAY_ADVERTISE"),
    "one region unless somebody spreads relays and gateways over several": ("MEDIA_RELAY_REGION", "GATEWAY_REGION"),
    "people are spread unless an autoscaler takes the highest relay": ("ROOM_DIRECTORY_PLACEMENT",),
}  # fmt: skip
"""Reason to settings: whole names, or what stands after a service's prefix for those that several services have."""

ON_ONE_MACHINE: Mapping[str, tuple[str, ...]] = {
    "on one machine a shared secret proves services to each other": ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CA_FILE"),
    "on one machine the directory has one copy": (
        "ROOM_DIRECTORY_GRPC_ADVERTISE",
        "ROOM_DIRECTORY_PEER_NAME",
    ),
    "the container has a minute, and nobody moves to another relay": ("MEDIA_RELAY_DRAIN_SECONDS",),
}
"""The same, for deploy/compose.yaml besides."""


def is_left(setting: str, prefix: str, *, one_machine: bool = False) -> bool:
    """Whether a setting of the service with this prefix is one of those."""
    lists = [*LEFT.values(), *(ON_ONE_MACHINE.values() if one_machine else ())]
    return any(setting in names or setting.removeprefix(f"{prefix}_") in names for names in lists)


def stale(settings: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names of the lists that are no setting of any service any more; `settings` are (prefix, whole name)."""
    known = {name for prefix, whole in settings for name in (whole, whole.removeprefix(f"{prefix}_"))}
    for names in (*LEFT.values(), *ON_ONE_MACHINE.values()):
        yield from (name for name in names if name not in known)
