"""Fragments of PATCH: candidates trickle without effect, new credentials restart ICE."""

import pytest

from services.media_relay.domain.errors import FragmentInvalid
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.sessions.sdp.answer import IceLocal
from services.media_relay.sessions.sdp.fragment import parse_fragment, write_restart

TRICKLE = (
    "a=ice-ufrag:Qx7d\r\na=ice-pwd:0nUeR8fBz5dHqPjY2cLk3mWs\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2113937151 192.0.2.10 54321 typ host\r\na=end-of-candidates\r\n"
)
RESTART = "a=ice-ufrag:New1\r\na=ice-pwd:0nUeR8fBz5dHqPjY2cLk3mWs\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:mic\r\n"


def test_candidates_under_the_known_credentials_restart_nothing() -> None:
    assert not parse_fragment(TRICKLE).restarts("Qx7d")


def test_candidates_alone_restart_nothing() -> None:
    assert not parse_fragment("a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n").restarts("Qx7d")


def test_new_credentials_restart() -> None:
    assert parse_fragment(RESTART).restarts("Qx7d")


def test_the_answer_to_a_restart_has_our_new_credentials_for_the_same_m_line() -> None:
    ice = IceLocal("mine", "my-password-of-22-characters", MediaAddresses([("192.0.2.1", 5004)], [("192.0.2.1", 5004)]))
    text = write_restart(ice, parse_fragment(RESTART))
    assert "a=ice-ufrag:mine\r\n" in text
    assert "a=ice-pwd:my-password-of-22-characters\r\n" in text
    assert "a=mid:mic\r\n" in text
    assert "a=candidate:1 1 udp" in text
    assert " 192.0.2.1 5004 typ host tcptype passive\r\n" in text
    assert text.endswith("a=end-of-candidates\r\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither"),
        ("a=mid:0\r\n", "neither"),
        ("hello\r\n", "no SDP line"),
        ("v=0\r\na=candidate:1\r\n", "may not be in"),
        ("a=ice-ufrag:Abcd\r\n", "come together"),
        ("a=ice-ufrag:Abcd\r\na=ice-pwd:short\r\n", "malformed"),
    ],
)
def test_a_fragment_that_is_none_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(FragmentInvalid, match=why):
        parse_fragment(text)
