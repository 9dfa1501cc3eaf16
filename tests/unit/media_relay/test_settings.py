"""Settings of the relay: what is wrong is named, and clients are told addresses they can reach."""

import pytest

from services.common.settings import SettingsError, load
from services.media_relay.settings import PREFIX, Settings, media_addresses

BOUND = [("0.0.0.0", 5004), ("::", 5004)]
GIVEN = {"MEDIA_RELAY_SERVICE_SECRET_FILE": "/secret", "MEDIA_RELAY_ROOM_DIRECTORY_ADDRESS": "127.0.0.1:1"}


def test_the_least_that_must_be_given_is_enough() -> None:
    settings = load(Settings, PREFIX, GIVEN)
    assert settings.bind == ("127.0.0.1:0",)
    assert settings.packets_per_second_budget is None


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("RELAY_ID", "Relay One", "10 to 32"),
        ("REGION", "EU West", "eu-west-1"),
        ("BIND", "", "at least one"),
        ("BIND", "localhost", "host:port"),
        ("ROOM_DIRECTORY_ADDRESS", "", "must be set"),
        ("PACKETS_PER_SECOND_BUDGET", "7", "at least 1000"),
        ("SENDER_THREADS", "0", "1 to 16"),
        ("SENDER_THREADS", "17", "1 to 16"),
        ("ENCODER_EFFORT", "11", "0 to 10"),
        ("PROGRAMME_THREADS", "0", "1 to 16"),
        ("PROGRAMME_THREADS", "17", "1 to 16"),
        ("DRAIN_SECONDS", "-1", "0 to 3600"),
        ("AUDIENCE_PACKET_MS", "30", "one of 20, 40, 60"),
        ("LADDER", "up", "one of auto, none, red_off"),
        ("PROGRAMME_BITS_PER_SECOND", "1", "6000 to 128000"),
        ("SPEED", "fast", "not a setting"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_name(name: str, value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load(Settings, PREFIX, {**GIVEN, f"{PREFIX}_{name}": value})


def test_advertised_addresses_take_the_bound_port_unless_they_bring_their_own() -> None:
    told = media_addresses(("203.0.113.5", "[2001:db8::1]:3478", "2001:db8::2"), BOUND)
    assert told.udp == [("203.0.113.5", 5004), ("2001:db8::1", 3478), ("2001:db8::2", 5004)]


def test_a_port_bound_to_every_address_needs_one_to_tell() -> None:
    with pytest.raises(SettingsError, match="MEDIA_RELAY_ADVERTISE"):
        media_addresses((), BOUND)


def test_without_more_ado_clients_are_told_what_is_bound() -> None:
    bound = [("127.0.0.1", 5004), ("::1", 5004)]
    told = media_addresses((), bound)
    assert (told.udp, told.tcp) == (bound, [])


def test_clients_are_told_of_tcp_where_it_can_be_had() -> None:
    bound = [("127.0.0.1", 5004), ("::1", 5004)]
    assert media_addresses((), bound, bound[:1]).tcp == bound[:1]
    told = media_addresses(("203.0.113.5", "[2001:db8::1]:3478"), BOUND, BOUND[:1])
    assert told.tcp == [("203.0.113.5", 5004)]
    assert media_addresses(("203.0.113.5",), BOUND).tcp == []


@pytest.mark.parametrize("text", ["203.0.113.5:70000", "[2001:db8::1]:70000"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="MEDIA_RELAY_ADVERTISE"):
        media_addresses((text,), BOUND)
