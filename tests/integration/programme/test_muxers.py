"""What the muxers write, players play: decoded with FFmpeg's libraries, and compared with what was said."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from typing import Literal

import av
import numpy as np
import packetcore
import pytest

Container = Literal["ogg", "webm", "mp4"]
CONTAINERS: tuple[Container, ...] = ("ogg", "webm", "mp4")
FRAME = 960
PRE_SKIP = 312


@cache
def spoken(seconds: int = 3) -> tuple[bytes, ...]:
    """Opus packets of 20 ms of a tone."""
    at = np.arange(48_000 * seconds)
    tone = (np.sin(2 * np.pi * 440 * at / 48_000) * 8000).astype(np.int16)
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "mono", "s16", 32_000
    packets = []
    for start in range(0, len(tone), FRAME):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, start
        packets += encoder.encode(frame)
    return tuple(bytes(packet) for packet in packets)


def pieces_of(container: Container, gap_after: int | None = None, gap_samples: int = 0) -> list[bytes]:
    """What a listener of a live stream gets, piece after piece."""
    muxer = packetcore.Muxer(container, channels=1, pre_skip=PRE_SKIP, serial=77)
    pieces, at = [muxer.head()], 0
    for index, packet in enumerate(spoken()):
        if index == gap_after:
            at += gap_samples
        pieces.append(muxer.packet(at, packet))
        at += FRAME
    return [*pieces, muxer.end()]


def played(file: bytes) -> Iterator[tuple[float, float, float]]:
    """Each decoded frame's begin and length in seconds, and how loud it is."""
    with av.open(io.BytesIO(file), "r") as container:
        for frame in container.decode(audio=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            loud = float(np.sqrt(np.mean(frame.to_ndarray().astype(np.float64) ** 2)))
            yield float(frame.pts * frame.time_base), frame.samples / frame.sample_rate, loud


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_player_hears_all_that_was_written_and_skips_what_the_decoder_needs_first(container: Container) -> None:
    frames = list(played(b"".join(pieces_of(container))))
    assert sum(length for _, length, _ in frames) == pytest.approx(3 - PRE_SKIP / 48_000, abs=0.001)
    assert min(loud for _, _, loud in frames[2:]) > 0.1
    assert [begin for begin, _, _ in frames] == sorted(begin for begin, _, _ in frames)


@pytest.mark.parametrize("container", CONTAINERS)
def test_after_a_gap_sound_stands_where_it_belongs(container: Container) -> None:
    frames = list(played(b"".join(pieces_of(container, gap_after=50, gap_samples=96_000))))
    begin, length, _ = frames[-1]
    assert begin + length == pytest.approx(5 - PRE_SKIP / 48_000, abs=0.005)
    in_the_gap = [loud for begin, _, loud in frames if 1.3 < begin < 2.9]
    assert max(in_the_gap, default=0.0) < 0.02


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_stream_is_playable_before_it_ends(container: Container) -> None:
    frames = list(played(b"".join(pieces_of(container)[:101])))
    assert 1.4 < sum(length for _, length, _ in frames) < 2.2


def test_bytes_that_are_no_opus_packet_and_unknown_containers_are_refused() -> None:
    muxer = packetcore.Muxer("ogg", channels=1, pre_skip=0)
    with pytest.raises(ValueError, match="no Opus packet"):
        muxer.packet(0, b"")
    with pytest.raises(ValueError, match="no container"):
        packetcore.Muxer("avi", 1, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one channel or two"):
        packetcore.Muxer("ogg", 3, 0)
