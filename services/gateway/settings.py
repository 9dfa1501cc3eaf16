"""What the gateway can be told by its environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from services.common.forms import ADDRESS, LISTEN, ORIGIN, REGION
from services.common.settings import LONGEST_DAYS, LONGEST_SECONDS, ServiceSettings, Within, WrongSetting


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """Variables `GATEWAY_<FIELD>`; `grpc_listen` is the private port with health, the one for SDKs is separate."""

    listen: Annotated[tuple[str, ...], LISTEN] = ("127.0.0.1:8080",)
    """Addresses of the public HTTP origin; port 0 lets the system choose."""
    grpc_public_listen: Annotated[tuple[str, ...], LISTEN] = ("127.0.0.1:0",)
    """Addresses of the public native gRPC port; empty closes it."""
    grpc_public_address: Annotated[str, ADDRESS] = ""
    """host:port of that port as clients reach it; empty means the public URL's host and the port in use."""
    public_url: Annotated[str, ORIGIN] = "http://localhost:8080"
    """The one origin, as people type it and as invitation links have it."""
    extra_origins: Annotated[tuple[str, ...], ORIGIN] = ()
    """Further origins whose pages may use cookies, such as a development server's."""
    tls_cert: Path | None = None
    """PEM certificate chain of the public origin and the public gRPC port; needs tls_key."""
    tls_key: Path | None = None
    """PEM private key of tls_cert."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For or Forwarded header is believed."""
    proxy_header: str = ""
    """The header they write, x-forwarded-for or forwarded: only that is read. Empty reads either, and where both come
    they must lead to the same client."""
    web_directory: Path = Path("web/dist")
    """Folder with the built web client."""
    trusted_types_policies: tuple[str, ...] = ("majlis", "svelte-trusted-html")
    """Trusted Types policies of the web client and its framework; the page may use no others. Empty allows all."""
    owner_link_file: Path | None = None
    """File that exists until the owner link has been used."""
    invite_address: Annotated[str, ADDRESS] = ""
    """gRPC address of invite, host:port."""
    room_directory_address: Annotated[str, ADDRESS] = ""
    """gRPC address of room_directory, host:port."""
    region: Annotated[str, REGION] = ""
    """Where this gateway and the people who reach it are, parts from the wide to the narrow, like eu-west-1: they hear
    through the nearest relays with room. Empty: all are as near."""
    ice_servers: tuple[str, ...] = ()
    """STUN or TURN URLs offered to clients, for networks that block UDP; relays themselves need none."""
    turn_secret_file: Path | None = None
    """File with the secret shared with the TURN server (coturn's static-auth-secret); credentials are made from it."""
    turn_credential_hours: Annotated[float, Within(0.1, 720)] = 12.0
    """How long a TURN credential opens connections; those that are open then stay."""
    requests_per_second: Annotated[float, Within(1)] = 100.0
    """Requests a second that one network may make for long."""
    request_burst: Annotated[float, Within(1)] = 1000.0
    """Requests that one network may make at once."""
    max_streams: Annotated[int, Within(1)] = 20_000
    """Event streams open at once."""
    max_streams_per_user: Annotated[int, Within(1)] = 12
    """Event streams of one person open at once; the tabs of one browser hold three."""
    stream_opens_per_second: Annotated[float, Within(1)] = 300.0
    """Event streams opened a second, so that a crowd that comes back does not stop the rest."""
    stream_queue_events: Annotated[int, Within(1)] = 256
    """Events that may wait for one slow reader before it is cut."""
    max_listeners: Annotated[int, Within(1)] = 5000
    """People who may listen over HTTPS here at once, whether they sign in or not; a quarter is for those who do."""
    max_listener_bits_per_second: Annotated[int, Within(100_000)] = 200_000_000
    """Most that is sent to them all: 40 kbit/s is counted for each, and 16 for who listens in few bits."""
    max_listeners_per_network: Annotated[int, Within(1)] = 500
    """People of one network (of a /24 or /64) who may listen so at once."""
    max_listeners_per_user: Annotated[int, Within(1)] = 2
    """Streams of sound over HTTPS that one person may have at once."""
    max_speakers: Annotated[int, Within(1)] = 500
    """People who may speak over HTTPS here at once."""
    max_speakers_per_network: Annotated[int, Within(1)] = 50
    """People of one network (of a /24 or /64) who may speak so at once."""
    max_speakers_per_user: Annotated[int, Within(1)] = 2
    """Microphones over HTTPS of one person at once: one, and the one that takes its place."""
    max_web_listeners: Annotated[int, Within(1)] = 2000
    """Of `max_listeners`, people who may hear rooms open to the web here at once without signing in."""
    max_web_listeners_per_network: Annotated[int, Within(1)] = 200
    """Of them, people of one network (of a /24 or /64)."""
    max_trials: Annotated[int, Within(0)] = 8
    """People who may try at once whether their network lets sound through (/reach), without a sign-in, one a network; 0
    lets nobody."""
    ring_events: Annotated[int, Within(1)] = 1000
    """Events of a room kept for readers that come back."""
    recheck_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 60.0
    """How often an open stream's seat is checked again."""
    drain_seconds: Annotated[float, Within(0, 3600)] = 5.0
    """Over how long open streams are closed when the gateway stops."""
    refresh_cookie_days: Annotated[int, Within(1, LONGEST_DAYS)] = 90
    """How long a browser keeps a sign-in that is not used."""

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise WrongSetting("must be set together", "tls_cert", "tls_key")
        if not self.listen:
            raise WrongSetting("needs at least one address", "listen")

    @property
    def origin(self) -> str:
        """The public URL without a trailing slash."""
        return self.public_url.rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether people reach the origin over https."""
        return self.public_url.lower().startswith("https:")
