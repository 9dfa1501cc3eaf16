"""What operators may set: every number has an end on both sides, and a value beyond it is refused in one line."""

import importlib
import re
import typing
from typing import Annotated, Any

import pytest

from services.common.forms import ADDRESS
from services.common.settings import ServiceSettings, SettingsError, Within, bounds, load

SERVICES = ("auth", "gateway", "invite", "media_relay", "room_directory")
NEEDED = {
    "SERVICE_SECRET_FILE": "secret",
    "CODE_SECRET_FILE": "codes",
    "OWNER_LINK_FILE": "owner",
    "PUBLIC_URL": "https://hall.example",
    "AUTH_ADDRESS": "auth:9090",
    "ROOM_DIRECTORY_ADDRESS": "directory:9090",
}


def settings_of(service: str) -> type[ServiceSettings]:
    found: type[ServiceSettings] = importlib.import_module(f"services.{service}.settings").Settings
    return found


def start(service: str, **changed: str) -> ServiceSettings:
    names = {field.upper() for field in settings_of(service).__dataclass_fields__}
    env = {name: text for name, text in NEEDED.items() if name in names} | changed
    return load(settings_of(service), service, {f"{service}_{name}".upper(): text for name, text in env.items()})


def numbers(service: str) -> set[str]:
    def is_number(hint: Any) -> bool:
        if typing.get_origin(hint) is Annotated:
            return is_number(typing.get_args(hint)[0])
        return hint in (int, float) or any(map(is_number, typing.get_args(hint)))

    hints = typing.get_type_hints(settings_of(service), include_extras=True)
    return {name for name, hint in hints.items() if is_number(hint)}


@pytest.mark.parametrize("service", SERVICES)
def test_every_number_has_bounds_and_a_default_within_them(service: str) -> None:
    known = bounds(settings_of(service))
    assert numbers(service) == known.keys()
    plain = start(service)
    for name, within in known.items():
        value = getattr(plain, name)
        assert value is None or within.least <= value <= within.most, name


@pytest.mark.parametrize("service", SERVICES)
def test_one_less_than_the_least_and_one_more_than_the_most_are_refused(service: str) -> None:
    for name, within in bounds(settings_of(service)).items():
        for value in (within.least - 1, within.most + 1):
            with pytest.raises(SettingsError) as refusal:
                start(service, **{name.upper(): f"{value:.0f}"})
            said = str(refusal.value)
            assert said.startswith(f"{service.upper()}_{name.upper()}='{value:.0f}' is not allowed: it must be"), said
            assert "\n" not in said


@pytest.mark.parametrize(
    ("service", "name", "value", "allowed"),
    [
        ("gateway", "MAX_STREAMS", "0", "at least 1"),
        ("gateway", "MAX_STREAMS_PER_USER", "-1", "at least 1"),
        ("gateway", "STREAM_OPENS_PER_SECOND", "0", "at least 1"),
        ("gateway", "REQUESTS_PER_SECOND", "0", "at least 1"),
        ("gateway", "RECHECK_SECONDS", "0", "1 to 31622400"),
        ("gateway", "TURN_CREDENTIAL_HOURS", "0", "0.1 to 720"),
        ("room_directory", "RELAY_LOST_SECONDS", "0.1", "2 to 31622400"),
        ("room_directory", "RELAY_SHARE", "0", "0.01 to 1"),
        ("room_directory", "LISTENER_LIMIT", "0", "at least 1"),
        ("room_directory", "HANDS_PER_MINUTE", "0", "at least 1"),
        ("room_directory", "PERMIT_SECONDS", "61", "1 to 60"),
        ("room_directory", "AUDIT_DAYS", "-1", "0 to 36500"),
        ("room_directory", "PEER_NAME", "room directory", "a host name, like directory.hall.example"),
        ("room_directory", "PEER_NAME", "https://hall.example", "a host name, like directory.hall.example"),
        ("room_directory", "PEER_NAME", "-.", "a host name, like directory.hall.example"),
        ("media_relay", "HALF_OPEN_SESSIONS", "0", "at least 1"),
        ("media_relay", "HANDSHAKES_PER_SOURCE_PER_SECOND", "0", "at least 1"),
        ("media_relay", "DRAIN_SECONDS", "-1", "0 to 3600"),
        ("media_relay", "PACKETS_PER_SECOND_BUDGET", "7", "at least 1000"),
        ("invite", "SWEEP_SECONDS", "0", "0.1 to 31622400"),
        ("invite", "PLACE_HOURS", "1e300", "0.1 to 8760"),
        ("auth", "ACCESS_TOKEN_SECONDS", "5", "60 to 600"),
        ("auth", "SMTP_PORT", "0", "1 to 65535"),
        ("auth", "SHUTDOWN_GRACE_SECONDS", "-1", "0 to 3600"),
        ("gateway", "TRACES_SHARE", "1.5", "0 to 1"),
    ],
)
def test_a_value_that_cannot_work_is_refused_at_the_start_in_one_line(
    service: str, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        start(service, **{name: value})
    assert str(refusal.value) == f"{service.upper()}_{name}={value!r} is not allowed: it must be {allowed}"


WRONG = {
    "address": "nowhere",
    "advertise": "nowhere:",
    "origin": "hall.example",
    "url": "hall.example",
    "listen": "127.0.0.1",
    "region": "EU West",
    "endpoint": "collector",
}
"""By how a setting's name ends, what it cannot be."""
ELSEWHERE = {"advertise"}
"""Of the relay's media port: whether a name resolves is known once it starts."""


@pytest.mark.parametrize("service", SERVICES)
def test_every_address_origin_and_url_is_refused_by_its_variable_when_it_is_none(service: str) -> None:
    for name in settings_of(service).__dataclass_fields__:
        wrong = WRONG.get(name.removesuffix("s").rpartition("_")[2])
        if wrong is None or name in ELSEWHERE:
            continue
        with pytest.raises(SettingsError) as refusal:
            start(service, **{name.upper(): wrong})
        said = str(refusal.value)
        assert said.startswith(f"{service.upper()}_{name.upper()}"), said
        assert "is not allowed: it must be" in said, said
        assert "\n" not in said


def test_a_refusal_repeats_no_password() -> None:
    for service, name, value in (
        ("auth", "DATABASE_URL", "mysql://auth:hush@db/auth"),
        ("gateway", "NATS_URL", "http://me:hush@nats:4222"),
    ):
        with pytest.raises(SettingsError) as refusal:
            start(service, **{name: value})
        assert str(refusal.value).startswith(f"{service.upper()}_{name} is not allowed: it must be ")
        assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("service", "changed", "said"),
    [
        ("gateway", {"TLS_CERT": "cert.pem"}, "GATEWAY_TLS_CERT and GATEWAY_TLS_KEY must be set together"),
        ("gateway", {"LISTEN": ""}, "GATEWAY_LISTEN needs at least one address"),
        ("gateway", {"EXTRA_ORIGINS": "https://a.example,localhost:5173"}, "GATEWAY_EXTRA_ORIGINS="),
        ("media_relay", {"BIND": ""}, "MEDIA_RELAY_BIND needs at least one address"),
        ("media_relay", {"RELAY_ID": "one"}, "MEDIA_RELAY_RELAY_ID is not allowed to be 'one': it must be 10 to 32 "),
        ("auth", {"DATABASE_URL": ""}, "AUTH_DATABASE_URL is not allowed: it must be sqlite:///FILE or postgresql://"),
        ("gateway", {"PUBLIC_URL": ""}, "GATEWAY_PUBLIC_URL='' is not allowed: it must be http(s)://host[:port]"),
        ("invite", {"AUTH_ADDRESS": ""}, f"INVITE_AUTH_ADDRESS must be set ({ADDRESS})"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_named_as_the_operator_wrote_them(
    service: str, changed: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        start(service, **changed)
    assert str(refusal.value).startswith(said)


def test_a_service_without_an_address_it_needs_says_which_and_how_it_is_written() -> None:
    with pytest.raises(SettingsError, match=rf"^INVITE_AUTH_ADDRESS must be set \({re.escape(str(ADDRESS))}\)$"):
        load(
            settings_of("invite"),
            "invite",
            {"INVITE_PUBLIC_URL": "https://hall.example"}
            | {"INVITE_SERVICE_SECRET_FILE": "secret", "INVITE_CODE_SECRET_FILE": "codes"},
        )


@pytest.mark.parametrize("name", ["", "room-directory", "directory.hall.example", "10.0.0.7"])
def test_names_in_certificates_are_taken_as_they_are(name: str) -> None:
    assert getattr(start("room_directory", PEER_NAME=name), "peer_name") == name  # noqa: B009 (of a subclass)


def test_bounds_read_as_people_say_them() -> None:
    assert [str(Within(1)), str(Within(0.1, 720)), str(Within(6_000, 128_000))] == [
        "at least 1",
        "0.1 to 720",
        "6000 to 128000",
    ]
