"""What is heard in few bits: names of its channels, what it costs a relay, and a live stream of long frames."""

import pytest

from services.programme.channels import Channel, ChannelKind, kind_of, plain, thrifty
from services.programme.containers import Container
from services.programme.hearing import MOST_OUTCOMES, heard_by
from services.programme.listener import FRAME_SAMPLES, SAMPLE_RATE, THRIFT_SAMPLES
from services.programme.pieces import THRIFT_PIECE_SAMPLES, LiveLine, Pieces, Placed
from services.programme.work import Part, Tariff

ROOM = "room000001"
SPEECH, SILENCE, CLOSING = b"\x58\x05\x06", b"\x58", b"\x48"
"""60 ms of speech coding in wide band, the same without sound, and the 20 ms with which a talk ends."""
OLD = b"\x78\x05\x06"
"""20 ms, as a relay of an older release sends them."""


@pytest.mark.parametrize("name", ["floor", "ar", "ar-ar-en"])
def test_every_channel_has_one_in_few_bits_that_mixes_the_same(name: str) -> None:
    full, few = Channel(ROOM, name), Channel(ROOM, thrifty(name))
    assert few.is_thrifty
    assert not full.is_thrifty
    assert kind_of(few.name) is ChannelKind.THRIFT
    assert (few.booth, few.clear) == (full.booth, full.clear)
    assert plain(few.name) == name
    assert thrifty(few.name) == few.name, "twice is once"


def test_the_longest_name_that_a_list_comes_to_has_room_for_the_mark() -> None:
    spoken = [f"ab{letter}" for letter in "cdefghij"]
    names = {heard_by(spoken[:6], spoken[:booths], spoken[:said]) for booths in range(1, 7) for said in range(1, 9)}
    assert max(map(len, names)) > 3, MOST_OUTCOMES
    for name in names:
        assert Channel(ROOM, thrifty(name)).booth == Channel(ROOM, name).booth


def test_who_listens_in_few_bits_costs_a_sixth_and_their_channel_is_always_mixed() -> None:
    tariff = Tariff()
    full = tariff.room(Part(home=True, listeners=100, channels=1))
    few = tariff.room(Part(home=True, listeners=100, on_thrift=100, thrifty=1))
    sent = [tariff.room(Part(home=True, listeners=100, on_thrift=number)).sending for number in (0, 100)]
    assert sent == [5000, 900]
    assert few.programme == full.programme
    assert few.usual - 900 > full.usual - 5000, "it never passes anybody on"


def test_long_frames_stand_on_a_grid_of_their_own_and_silence_between_them() -> None:
    line = LiveLine(0, thrift=True)
    placed = line.add(7 * FRAME_SAMPLES, SPEECH, 0)
    placed += line.add(7 * FRAME_SAMPLES + THRIFT_SAMPLES, SPEECH, THRIFT_SAMPLES)
    assert line.add(7 * FRAME_SAMPLES + 2 * THRIFT_SAMPLES, CLOSING, 2 * THRIFT_SAMPLES) == [], "silence says it too"
    placed += line.rest(SAMPLE_RATE)
    # The next talk begins wherever somebody begins to speak.
    placed += line.add(7 * FRAME_SAMPLES + 2 * THRIFT_SAMPLES + 49 * FRAME_SAMPLES, SPEECH, SAMPLE_RATE + 5000)
    assert all(each.at % THRIFT_SAMPLES == 0 and each.samples == THRIFT_SAMPLES for each in placed)
    assert [each.at for each in placed] == list(range(0, len(placed) * THRIFT_SAMPLES, THRIFT_SAMPLES))
    assert [each.opus for each in placed if each.opus != SILENCE] == [SPEECH] * 3


def test_frames_of_an_older_relay_are_laid_out_as_they_are_and_long_ones_again_after_it() -> None:
    line = LiveLine(0, thrift=True)
    placed = [each for n in range(100) for each in line.add(n * FRAME_SAMPLES, OLD, n * FRAME_SAMPLES)]
    assert [each.at for each in placed] == [n * FRAME_SAMPLES for n in range(100)]
    assert {each.samples for each in placed} == {FRAME_SAMPLES}
    later = line.add(100 * FRAME_SAMPLES, SPEECH, 100 * FRAME_SAMPLES)
    assert later[-1].opus == SPEECH
    assert later[-1].at % THRIFT_SAMPLES == 0
    assert later[0].at == 100 * FRAME_SAMPLES, "nothing is missing between them"


@pytest.mark.parametrize("ending", ["webm", "mp4", "ogg"])
def test_an_hour_of_talk_takes_less_than_seven_megabytes_in_each_container(ending: Container) -> None:
    """Frames of 90 bytes are 12 kbit/s; TLS, TCP and IP add some 150 bytes to each piece."""
    pieces, spent, ends = Pieces(ending, 7, thrift=True), 0, []
    for number in range(1000):
        piece = pieces.add(Placed(number * THRIFT_SAMPLES, b"\x58" + bytes(89), THRIFT_SAMPLES))
        if piece is not None:
            spent += len(piece.data) + 150
            ends.append(piece.ends)
    assert ends == [(number + 1) * THRIFT_PIECE_SAMPLES for number in range(50)]
    assert spent * 60 < 6_700_000, f"{spent * 60 / 1e6:.2f} MB an hour"
