"""A channel as a live stream: nothing is missing in it, nothing comes late for ever, and any piece is a beginning."""

import io

import av
import pytest

from services.programme.containers import Container
from services.programme.listener import FRAME_SAMPLES, SAMPLE_RATE
from services.programme.pieces import PIECE_SAMPLES, QUIET_SAMPLES, LiveLine, Piece, Pieces, Placed, silence_like

SPEECH = b"\x78\x05\x06"
QUIET = b"\x78"
"""Of the same mode as speech."""


def begins(placed: list[Placed]) -> list[int]:
    return [each.at for each in placed]


def pieces_of(container: Container, frames: list[Placed], serial: int = 7) -> tuple[bytes, list[Piece]]:
    pieces = Pieces(container, serial)
    return pieces.head, [piece for each in frames if (piece := pieces.add(each)) is not None]


def talk(frames: int, at: int = 0) -> list[Placed]:
    return [Placed(at + number * FRAME_SAMPLES, SPEECH) for number in range(frames)]


def packets(stream: bytes) -> list[bytes]:
    with av.open(io.BytesIO(stream), "r") as opened:
        return [bytes(packet) for packet in opened.demux(audio=0) if packet.size]


def test_frames_stand_one_after_the_other_from_the_moment_the_first_is_heard() -> None:
    now = 5 * PIECE_SAMPLES
    line = LiveLine(now)
    first = line.add(123 * FRAME_SAMPLES, SPEECH, now)
    second = line.add(124 * FRAME_SAMPLES, SPEECH, now + 900)
    assert first + second == [Placed(now, SPEECH), Placed(now + FRAME_SAMPLES, SPEECH)]


def test_a_channel_begins_with_a_whole_piece_so_that_who_changes_to_it_misses_none() -> None:
    line = LiveLine(5 * PIECE_SAMPLES + 7000)
    placed = line.add(0, SPEECH, 5 * PIECE_SAMPLES + 8000)
    assert placed[0].at == 5 * PIECE_SAMPLES
    assert placed[-1] == Placed(5 * PIECE_SAMPLES + 7680, SPEECH)


def test_what_was_lost_on_the_way_is_silence_of_the_same_mode() -> None:
    line = LiveLine(0)
    line.add(0, SPEECH, 0)
    placed = line.add(3 * FRAME_SAMPLES, SPEECH, 3 * FRAME_SAMPLES)
    assert [each.opus for each in placed] == [QUIET, QUIET, SPEECH]
    assert begins(placed) == [FRAME_SAMPLES, 2 * FRAME_SAMPLES, 3 * FRAME_SAMPLES]


def test_while_nobody_speaks_silence_goes_on_a_little_behind_the_moment() -> None:
    line = LiveLine(0)
    line.add(0, SPEECH, 0)
    now = 2 * SAMPLE_RATE
    placed = line.rest(now)
    assert begins(placed) == list(range(FRAME_SAMPLES, now - QUIET_SAMPLES, FRAME_SAMPLES))
    assert {each.opus for each in placed} == {QUIET}
    assert line.rest(now) == []
    spoken = line.add(100 * FRAME_SAMPLES, SPEECH, now + 100)
    assert spoken[-1] == Placed(now, SPEECH), "where it was said, after the silence that was still missing"


def test_a_process_that_stood_still_does_not_make_up_for_all_the_silence() -> None:
    line = LiveLine(0)
    line.add(0, SPEECH, 0)
    placed = line.rest(3600 * SAMPLE_RATE)
    assert len(placed) < 20
    assert placed[-1].at == 3600 * SAMPLE_RATE - QUIET_SAMPLES - FRAME_SAMPLES


def test_what_comes_late_is_heard_all_the_same_and_the_next_silence_makes_good_for_it() -> None:
    line = LiveLine(0)
    line.add(0, SPEECH, 0)
    rested = line.rest(SAMPLE_RATE)[-1].at + FRAME_SAMPLES
    late = [line.add(number * FRAME_SAMPLES, SPEECH, SAMPLE_RATE)[0] for number in range(1, 51)]
    assert begins(late) == [rested + number * FRAME_SAMPLES for number in range(50)], "nothing of it is left out"
    assert line.rest(SAMPLE_RATE + QUIET_SAMPLES) == []
    then = line.add(150 * FRAME_SAMPLES, SPEECH, 3 * SAMPLE_RATE)
    assert then[-1].at <= 3 * SAMPLE_RATE + FRAME_SAMPLES


@pytest.mark.parametrize("behind", [-500, 500])
def test_another_relay_with_another_clock_neither_stops_the_stream_nor_makes_it_run_ahead(behind: int) -> None:
    line = LiveLine(0)
    line.add(0, SPEECH, 0)
    line.rest(SAMPLE_RATE)
    placed = line.add((50 + behind) * FRAME_SAMPLES, SPEECH, SAMPLE_RATE)
    assert SAMPLE_RATE - QUIET_SAMPLES <= placed[-1].at <= SAMPLE_RATE
    assert line.add((51 + behind) * FRAME_SAMPLES, SPEECH, SAMPLE_RATE) == [
        Placed(placed[-1].at + FRAME_SAMPLES, SPEECH)
    ]


@pytest.mark.parametrize(
    ("opus", "quiet"),
    [
        (b"\x78abc", b"\x78"),
        (b"\xf8abc", b"\xf8"),
        (b"\xfcabc", b"\xfc"),
        (b"\xf1abc", b"\xf3\x02"),
        (b"\x08abc", b"\x08"),
        (b"\x00abc", b"\x03\x02"),
        (b"\x18abc", b""),
        (b"", b""),
    ],
)
def test_silence_is_20_ms_in_the_mode_of_what_was_heard(opus: bytes, quiet: bytes) -> None:
    assert silence_like(opus) == quiet


@pytest.mark.parametrize("container", ["webm", "mp4", "ogg"])
def test_a_newcomer_begins_with_any_piece_and_gets_its_packets_as_they_are(container: Container) -> None:
    head, whole = pieces_of(container, [Placed(n * FRAME_SAMPLES, b"\x78" + bytes([n])) for n in range(100)])
    assert [(piece.begins, piece.ends) for piece in whole] == [
        (n * PIECE_SAMPLES, (n + 1) * PIECE_SAMPLES) for n in range(5)
    ]
    for first in range(5):
        stream = head + b"".join(piece.data for piece in whole[first:])
        assert packets(stream) == [b"\x78" + bytes([n]) for n in range(20 * first, 100)]


@pytest.mark.parametrize("container", ["webm", "mp4", "ogg"])
def test_who_misses_a_piece_goes_on_with_the_next(container: Container) -> None:
    head, whole = pieces_of(container, [Placed(n * FRAME_SAMPLES, b"\x78" + bytes([n])) for n in range(80)])
    stream = head + whole[0].data + whole[2].data + whole[3].data
    assert packets(stream) == [b"\x78" + bytes([n]) for n in (*range(20), *range(40, 80))]


@pytest.mark.parametrize("container", ["webm", "mp4", "ogg"])
def test_a_listener_changes_between_channels_of_a_room_from_piece_to_piece(container: Container) -> None:
    far = 1000 * PIECE_SAMPLES
    head, floor = pieces_of(container, talk(40, far))
    _, booth = pieces_of(container, [Placed(each.at, b"\x78\x09") for each in talk(38, far + 2 * FRAME_SAMPLES)])
    assert floor[0].ends == booth[0].ends, "pieces end at the same moments"
    assert packets(head + floor[0].data + booth[1].data) == [SPEECH] * 20 + [b"\x78\x09"] * 20


def test_an_ogg_stream_that_begins_late_does_not_begin_with_silence() -> None:
    _, whole = pieces_of("ogg", talk(20, 3600 * SAMPLE_RATE))
    assert len(whole) == 1
    assert len(whole[0].data) < 300
