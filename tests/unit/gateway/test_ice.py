"""Which STUN and TURN servers clients are given, and with which credentials."""

from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.domain.ice import IceServer, offer_of, turn_credentials

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALF_DAY = timedelta(hours=12)
SECRET = "a secret of the turn server"
TURN = "turn:turn.hall.example:3478?transport=tcp"
TURNS = "turns:turn.hall.example:443"
STUN = "stun:turn.hall.example:3478"


def test_a_name_says_when_it_expires_and_the_password_is_the_one_coturn_computes() -> None:
    # Made by: printf '1772409600:abc' | openssl dgst -sha1 -hmac "$SECRET" -binary | base64
    username, credential = turn_credentials(SECRET, NOON + HALF_DAY, "abc")
    assert (username, credential) == ("1772409600:abc", "JPdf99tW+tpfN39XXzuH3U7mq1w=")


def test_each_session_gets_credentials_of_its_own_that_live_as_long_as_the_setting_says() -> None:
    offer = offer_of((TURN,), SECRET, timedelta(hours=2))
    first, second = offer.servers(NOON, "first"), offer.servers(NOON, "second")
    assert first[0].username == f"{int(NOON.timestamp()) + 7200}:first"
    assert first[0].credential != second[0].credential


def test_stun_goes_without_credentials_and_all_addresses_of_turn_share_one() -> None:
    servers = offer_of((TURN, STUN, TURNS), SECRET, HALF_DAY).servers(NOON, "abc")
    assert servers == [IceServer((STUN,)), IceServer((TURN, TURNS), *turn_credentials(SECRET, NOON + HALF_DAY, "abc"))]


def test_a_deployment_without_servers_offers_none() -> None:
    offer = offer_of((), "", HALF_DAY)
    assert not offer
    assert offer.servers(NOON, "abc") == []


@pytest.mark.parametrize(
    "url",
    [
        "turn.hall.example:3478",
        "https://turn.hall.example",
        "turn://turn.hall.example",
        "turn:",
        "turn:hall.example:70000",
        "turn:hall.example?transport=sctp",
        "stun:hall.example?transport=tcp",
        'turn:hall.example>; rel="next"',
        "turn:hall.example\r\nx: y",
    ],
)
def test_an_address_that_a_browser_would_throw_at_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="must be like"):
        offer_of((url,), SECRET, HALF_DAY)


@pytest.mark.parametrize("url", [TURN, TURNS, STUN, "turn:192.0.2.1", "turn:[2001:db8::1]:3478?transport=udp"])
def test_addresses_as_the_rfcs_write_them_are_taken(url: str) -> None:
    assert offer_of((url,), SECRET, HALF_DAY)


@pytest.mark.parametrize("secret", ["", "guess me"])
def test_turn_without_a_secret_or_with_one_to_guess_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        offer_of((TURN,), secret, HALF_DAY)


def test_secret_and_password_stay_out_of_what_is_printed() -> None:
    offer = offer_of((TURN,), SECRET, HALF_DAY)
    _, credential = turn_credentials(SECRET, NOON + HALF_DAY, "abc")
    assert SECRET not in repr(offer)
    assert credential not in repr(offer.servers(NOON, "abc"))
