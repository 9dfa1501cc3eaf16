"""Sound from strangers: whole packets come out whatever the pieces, and junk is refused with a reason, in bounds."""

import contextlib
from itertools import pairwise

import packetcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.programme.sounds import (
    LONGEST_PACKET,
    Lengths,
    Messages,
    OggReader,
    SoundInvalid,
    WebmReader,
    samples_of,
)
from tests.support.opus_voice import packets_of

READERS = {"webm": WebmReader, "ogg": OggReader}


def stream(container: str, packets: tuple[bytes, ...]) -> bytes:
    muxer = packetcore.Muxer(container, channels=1, pre_skip=312, serial=7)  # type: ignore[arg-type]
    parts = [muxer.head(), *(muxer.packet(at * 960, packet) for at, packet in enumerate(packets)), muxer.end()]
    return b"".join(parts)


@pytest.mark.parametrize("container", READERS)
@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_each_packet_comes_out_bit_for_bit_and_in_time_however_the_stream_is_cut(container: str, size: int) -> None:
    packets, data, reader = packets_of(440)[:60], stream(container, packets_of(440)[:60]), READERS[container]()
    sounds = [sound for at in range(0, len(data), size) for sound in reader.read(data[at : at + size])]
    assert tuple(packet for _, packet in sounds) == packets
    assert {after - before for (before, _), (after, _) in pairwise(sounds)} == {960}


def test_pieces_and_messages_say_what_they_hold() -> None:
    packet = packets_of(440)[0]
    message = (7).to_bytes(4, "big") + packet
    assert Messages().read(message) == [(7, packet)]
    assert Lengths().read(2 * (len(message).to_bytes(2, "big") + message)) == [(7, packet), (7, packet)]
    assert Lengths().read(b"") == []
    for junk in (b"\0", b"\0\x20ab", message[:4]):
        with pytest.raises(SoundInvalid):
            (Lengths() if junk != message[:4] else Messages()).read(junk)


@pytest.mark.parametrize(("packet", "samples"), [(b"\x78", 960), (b"\x1a", 5760), (b"\x7b\x03", 2880), (b"\xf8", 960)])
def test_lengths_are_read_from_the_first_bytes(packet: bytes, samples: int) -> None:
    assert samples_of(packet) == samples


@pytest.mark.parametrize("packet", [b"", b"\xe0", b"\xfb\x3f", b"\x7b\x00", b"\x78" * (LONGEST_PACKET + 1)])
def test_what_nobody_can_be_sent_is_refused(packet: bytes) -> None:
    with pytest.raises(SoundInvalid):
        samples_of(packet)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_junk_in_the_middle_ends_in_a_reason_or_in_sound_and_keeps_nothing(data: st.DataObject) -> None:
    container = data.draw(st.sampled_from(sorted(READERS)))
    whole = bytearray(stream(container, packets_of(440)[:10]))
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    whole += data.draw(st.binary(max_size=200))
    reader = READERS[container]()
    with contextlib.suppress(SoundInvalid):
        for at in range(0, len(whole), 50):
            for _, packet in reader.read(bytes(whole[at : at + 50])):
                assert samples_of(packet)
            assert len(reader._waiting) <= 70_000
