"""Offers of every kind of client are answered rightly, or refused with a reason."""

import re

import pytest
from aiortc.sdp import SessionDescription

from services.media_relay.domain.errors import OfferInvalid
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.permits import Kind
from services.media_relay.sessions.sdp.answer import IceLocal, plan_session, write_answer
from services.media_relay.sessions.sdp.offer import parse_offer
from tests.support.relay_fakes import FINGERPRINT, offer

BOTH = [("192.0.2.1", 5004), ("2001:db8::1", 5006)]
ADDRESSES = MediaAddresses(BOTH, BOTH)
ICE = IceLocal("ufrag1", "password-of-twenty-two-chars", ADDRESSES)
LISTENERS = ("chromium_listener", "firefox_listener", "safari_listener", "pion_listener", "aiortc_listener")
SPEAKERS = ("chromium_stage", "ffmpeg_speaker", "gstreamer_speaker", "str0m_stage")
BEGUN_BY_US = ("ffmpeg_speaker",)
"""Whose offers say a=setup:passive."""


def answer(text: str, kind: Kind) -> str:
    plan = plan_session(parse_offer(text), kind)
    return write_answer(plan, 7, ICE, FINGERPRINT, [5000 + n for n in range(len(plan.outgoing))], channel="ar")


def lines_of(answer_sdp: str, at: int) -> list[str]:
    """The lines of one m-line."""
    return answer_sdp.split("\r\nm=")[at + 1].split("\r\n")


@pytest.mark.parametrize("client", LISTENERS)
def test_a_listener_of_any_client_gets_one_stream_of_opus(client: str) -> None:
    text = answer(offer(client), Kind.AUDIENCE)
    parsed = SessionDescription.parse(text)
    taken = [media for media in parsed.media if media.port]
    assert [media.direction for media in taken] == ["sendonly"]
    assert taken[0].rtp.codecs[0].mimeType == "audio/opus"
    assert [info.ssrc for info in taken[0].ssrc] == [5000]
    assert taken[0].msid == "programme ar"


@pytest.mark.parametrize("client", SPEAKERS)
def test_a_speaker_of_any_client_is_heard_with_opus(client: str) -> None:
    text = answer(offer(client), Kind.STAGE)
    parsed = SessionDescription.parse(text)
    microphone = parsed.media[0]
    assert microphone.direction == "recvonly"
    assert [codec.mimeType for codec in microphone.rtp.codecs] == ["audio/opus"]
    assert microphone.rtp.codecs[0].parameters["useinbandfec"] == 1
    assert microphone.rtp.codecs[0].parameters["usedtx"] == "1"


@pytest.mark.parametrize("client", [*LISTENERS, *SPEAKERS])
def test_every_answer_has_as_many_m_lines_as_its_offer_and_is_an_ice_lite_end_with_the_other_dtls_role(
    client: str,
) -> None:
    text = answer(offer(client), Kind.STAGE if client in SPEAKERS else Kind.AUDIENCE)
    answered = SessionDescription.parse(text)
    assert [media.kind for media in answered.media] == re.findall(r"^m=(\w+)", offer(client), re.MULTILINE)
    assert [media.rtp.muxId for media in answered.media] == re.findall(r"^a=mid:(\w+)", offer(client), re.MULTILINE)
    assert text.split("m=")[0].count("a=ice-lite\r\n") == 1
    for media in answered.media:
        if not media.port:
            continue
        assert media.dtls is not None
        assert media.dtls.role == ("client" if client in BEGUN_BY_US else "server")
        assert media.rtcp_mux or "a=rtcp-mux" in text
        assert [(c.protocol, c.ip, c.port) for c in media.ice_candidates] == [
            (protocol, *address) for protocol in ("udp", "tcp") for address in BOTH
        ]
        priorities = [candidate.priority for candidate in media.ice_candidates]
        assert priorities == sorted(set(priorities), reverse=True), "UDP before TCP, the preferred address first"
        assert {candidate.tcpType for candidate in media.ice_candidates[2:]} == {"passive"}
        assert media.ice is not None
        assert (media.ice.usernameFragment, media.ice.password) == (ICE.ufrag, ICE.pwd)


def test_the_stage_gives_each_slot_a_stream_of_its_own_so_that_browsers_tell_them_apart() -> None:
    parsed = SessionDescription.parse(answer(offer("chromium_stage"), Kind.STAGE))
    assert str(parsed.group[0]) == "BUNDLE 0 1 2 3 4"
    slots = parsed.media[1:]
    assert [media.direction for media in slots] == ["sendonly"] * 4
    assert [media.ssrc[0].ssrc for media in slots] == [5000, 5001, 5002, 5003]
    assert len({media.msid for media in slots}) == 4


def test_the_audio_level_of_a_microphone_is_asked_for_under_the_offered_id() -> None:
    text = answer(offer("chromium_stage"), Kind.STAGE)
    assert "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" in lines_of(text, 0)
    assert not any("sdes:mid" in line for line in text.split("\r\n"))


def test_a_listener_who_offers_capture_time_and_redundancy_gets_both() -> None:
    text = answer(offer("chromium_listener"), Kind.AUDIENCE)
    listened = lines_of(text, 0)
    assert listened[0] == "audio 5004 UDP/TLS/RTP/SAVPF 111 63"
    assert "a=fmtp:63 111/111" in listened
    assert "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time" in listened


def test_redundancy_is_never_taken_for_a_microphone_nor_given_on_stage() -> None:
    assert "red/48000" not in answer(offer("chromium_stage"), Kind.STAGE)


def test_a_listeners_video_is_refused_with_port_zero_and_left_out_of_the_bundle() -> None:
    text = answer(offer("safari_listener"), Kind.AUDIENCE)
    assert "a=group:BUNDLE 0\r\n" in text
    assert lines_of(text, 1)[0].startswith("video 0 ")


def test_an_unwanted_m_line_that_has_the_bundles_transport_stays_in_it_without_use() -> None:
    text = answer(video_first(), Kind.AUDIENCE)
    assert "a=group:BUNDLE 1 0\r\n" in text
    video = lines_of(text, 0)
    assert video[0] == "video 5004 UDP/TLS/RTP/SAVPF 100"
    assert {"a=inactive", "a=rtcp-mux", "a=mid:1", "a=rtpmap:100 h264/90000", "a=setup:passive"} <= set(video)
    assert any(line.startswith("a=candidate:1 ") for line in video)
    assert lines_of(text, 1)[0].startswith("audio 5004 ")


def video_first() -> str:
    """A listener's offer whose video comes first and has the transport that all share."""
    head, audio, video = re.split(r"(?m)^(?=m=)", offer("safari_listener"))
    return head.replace("BUNDLE 0 1", "BUNDLE 1 0") + video + audio


def test_an_m_line_whose_transport_is_its_own_is_refused_though_it_comes_first() -> None:
    text = answer(video_first().replace("BUNDLE 1 0", "BUNDLE 0"), Kind.AUDIENCE)
    assert lines_of(text, 0)[0].startswith("video 0 ")
    assert "a=group:BUNDLE 0\r\n" in text


@pytest.mark.parametrize("client", ["obs_speaker", "chromium_stage"])
def test_a_speaker_who_offers_more_than_a_microphone_is_refused(client: str) -> None:
    text = offer(client)
    if client == "chromium_stage":
        second = text.index("m=audio", text.index("m=audio") + 1)
        text = text[:second] + text[second:].replace("a=recvonly", "a=sendonly", 1)
    with pytest.raises(OfferInvalid, match="sound only" if client == "obs_speaker" else "one microphone"):
        answer(text, Kind.STAGE)


def test_a_direction_of_the_whole_session_holds_for_m_lines_without_their_own() -> None:
    text = offer("chromium_listener").replace("a=recvonly\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n")
    assert answer(text, Kind.AUDIENCE) == answer(offer("chromium_listener"), Kind.AUDIENCE)
    with pytest.raises(OfferInvalid, match="that sends"):
        answer(text, Kind.STAGE)
    with pytest.raises(OfferInvalid, match="that receives"):
        answer(text.replace("a=recvonly", "a=sendonly"), Kind.AUDIENCE)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert answer("\ufeff" + offer("chromium_listener"), Kind.AUDIENCE) == answer(
        offer("chromium_listener"), Kind.AUDIENCE
    )


def test_a_slot_outside_the_bundle_is_refused_since_there_is_one_transport() -> None:
    text = answer(offer("str0m_stage").replace("BUNDLE mic s1", "BUNDLE mic"), Kind.STAGE)
    assert lines_of(text, 1)[0].startswith("audio 0 ")


def test_more_than_four_slots_are_not_filled() -> None:
    base = offer("chromium_stage")
    sixth = base[base.index("m=audio 9", base.index("a=mid:3")) :].replace("a=mid:4", "a=mid:5")
    text = answer(base.replace("BUNDLE 0 1 2 3 4", "BUNDLE 0 1 2 3 4 5") + sixth, Kind.STAGE)
    assert lines_of(text, 5)[0].startswith("audio 0 ")
    assert "a=group:BUNDLE 0 1 2 3 4\r\n" in text


def test_an_m_line_the_offerer_closed_is_not_taken() -> None:
    text = offer("safari_listener").replace("m=audio 9 UDP", "m=audio 0 UDP")
    with pytest.raises(OfferInvalid, match="no audio m-line"):
        answer(text, Kind.AUDIENCE)


def test_an_offer_with_bare_newlines_is_read_like_one_with_both() -> None:
    text = offer("chromium_listener")
    assert answer(text.replace("\r\n", "\n"), Kind.AUDIENCE) == answer(text, Kind.AUDIENCE)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("v=0", "hello", "starts with v=0"),
        ("m=audio 54321", "m=video 54321", "no audio m-line with opus"),
        ("opus/48000/2", "speex/16000", "no audio m-line with opus"),
        ("a=ice-ufrag:Qx7d\r\n", "", "no a=ice-ufrag"),
        ("a=ice-pwd:0nUeR8fBz5dHqPjY2cLk3mWs", "a=ice-pwd:short", "malformed"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "no a=fingerprint"),
        ("a=fingerprint:sha-256 A1:", "a=fingerprint:sha-256 ", "not a digest"),
        ("a=setup:actpass", "a=setup:holdconn", "offer actpass, active or passive"),
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", "ice-lite"),
        ("a=rtcp-mux\r\n", "", "rtcp-mux"),
        ("a=recvonly", "a=sendonly", "that receives"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "no audio m-line with opus"),
        ("m=audio 54321 UDP/TLS/RTP/SAVPF", "m=audio x", "m-line cannot be read"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_with_what_it_lacks(old: str, new: str, why: str) -> None:
    text = offer("chromium_listener")
    assert old in text
    with pytest.raises(OfferInvalid, match=why):
        answer(text.replace(old, new), Kind.AUDIENCE)


def test_a_listeners_offer_does_not_pass_for_a_speakers() -> None:
    with pytest.raises(OfferInvalid, match="that sends"):
        answer(offer("chromium_listener"), Kind.STAGE)


def test_two_m_lines_with_one_mid_are_refused() -> None:
    with pytest.raises(OfferInvalid, match="same a=mid"):
        answer(offer("safari_listener").replace("a=mid:1", "a=mid:0"), Kind.AUDIENCE)


def test_no_cut_of_an_offer_breaks_the_reader() -> None:
    text = offer("chromium_stage")
    for cut in range(0, len(text), 7):
        try:
            answer(text[:cut], Kind.STAGE)
        except OfferInvalid as error:
            assert error.message  # noqa: PT017 (either outcome is right, silence is not)


@pytest.mark.parametrize(
    "line", ["a=fmtp:² minptime=10", "a=extmap:² urn:x", "a=extmap:1  ", "a=rtpmap:² opus/48000/2"]
)
def test_numbers_in_other_scripts_are_passed_over(line: str) -> None:
    text = offer("chromium_listener")
    assert answer(f"{text}{line}\r\n", Kind.AUDIENCE) == answer(text, Kind.AUDIENCE)


def test_an_m_line_with_such_a_number_is_refused() -> None:
    with pytest.raises(OfferInvalid, match="cannot be read"):
        answer(offer("chromium_listener").replace("m=audio 54321", "m=audio ²"), Kind.AUDIENCE)


def test_nothing_an_offer_says_can_put_a_line_of_its_own_into_the_answer() -> None:
    text = offer("chromium_listener").replace("a=mid:0", "a=mid:0\x0ba=evil")
    with pytest.raises(OfferInvalid, match="mid"):
        answer(text, Kind.AUDIENCE)
