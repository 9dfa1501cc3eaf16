"""Files that players play although something is odd about them are said whole; what cannot be read is said aloud."""

import random
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from majlis_client import MajlisError, decoding
from majlis_client.player import FileTrack, Microphone

RATE = 48_000


def encoded(path: Path, codec: str, layout: str, seconds: float, hertz: float = 440.0) -> bytes:
    """A tone as a file of that kind."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        assert isinstance(stream, av.AudioStream)
        channels = 1 if layout == "mono" else 2
        tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
        interleaved = np.repeat(tone.astype("<i2"), channels)[np.newaxis, :]
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        resampler = av.AudioResampler(stream.format, stream.layout, RATE, frame_size=stream.frame_size or 960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path.read_bytes()


async def said(track: MediaStreamTrack) -> float:
    """How many seconds a track says until it ends, without waiting for their time."""
    samples = 0
    try:
        while True:
            frame = await track.recv()
            assert isinstance(frame, av.AudioFrame)
            assert (frame.format.name, frame.layout.name, frame.sample_rate) == ("s16", "mono", RATE)
            samples += frame.samples
    except MediaStreamError:
        return samples / RATE


def mono_then_stereo(folder: Path) -> Path:
    parts = [encoded(folder / f"{layout}.mp3", "libmp3lame", layout, 1.0) for layout in ("mono", "stereo")]
    (folder / "odd.mp3").write_bytes(b"".join(parts))
    return folder / "odd.mp3"


def chained(folder: Path) -> Path:
    parts = [encoded(folder / f"{layout}.ogg", "libopus", layout, 1.0) for layout in ("mono", "stereo")]
    (folder / "odd.ogg").write_bytes(b"".join(parts))
    return folder / "odd.ogg"


def tagged_in_the_middle(folder: Path) -> Path:
    sound = encoded(folder / "one.mp3", "libmp3lame", "mono", 1.0)
    tag = b"ID3\x03\x00\x00\x00\x00\x02\x00" + b"TIT2" + bytes(252)
    (folder / "odd.mp3").write_bytes(sound + tag + sound)
    return folder / "odd.mp3"


def damaged(folder: Path) -> Path:
    sound = bytearray(encoded(folder / "one.mp3", "libmp3lame", "mono", 2.0))
    middle = len(sound) // 2
    sound[middle : middle + 400] = random.Random(1).randbytes(400)
    (folder / "odd.mp3").write_bytes(sound)
    return folder / "odd.mp3"


def cut_off(folder: Path) -> Path:
    sound = encoded(folder / "one.flac", "flac", "mono", 3.0)
    (folder / "odd.flac").write_bytes(sound[: len(sound) * 2 // 3 + 77])
    return folder / "odd.flac"


@pytest.mark.parametrize("make", [mono_then_stereo, chained, tagged_in_the_middle, damaged, cut_off])
async def test_an_odd_file_is_said_as_players_play_it(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    track = FileTrack(make(tmp_path))
    assert await said(track) == pytest.approx(2.0, abs=0.3)
    assert track.finished.is_set()
    assert track.failure is None


async def test_a_name_that_looks_like_a_protocol_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    encoded(tmp_path / "one.wav", "pcm_s16le", "mono", 0.5)
    for name in ("http:one.wav", "18:30.wav", "2026-11-29T18:30:00.wav"):
        shutil.copy("one.wav", name)
        assert await said(FileTrack(Path(name))) == pytest.approx(0.5, abs=0.02)


def test_a_playlist_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(MajlisError) as refused:
        FileTrack(tmp_path / "list.m3u8")
    assert refused.value.reason == "NO_SOUND"


async def test_a_file_that_cannot_be_read_on_ends_with_its_error(tmp_path: Path) -> None:
    def breaking_off(path: Path) -> Iterator[av.AudioFrame]:
        yield from list(decoding.decode(path))[:3]
        raise OSError(5, "Input/output error")

    encoded(tmp_path / "one.wav", "pcm_s16le", "mono", 0.5)
    track = FileTrack(tmp_path / "one.wav", read=breaking_off)
    assert await said(track) == pytest.approx(0.06)
    assert track.finished.is_set()
    assert isinstance(track.failure, MajlisError)
    assert "Input/output error" in track.failure.message


class Faulty(MediaStreamTrack):
    """A microphone of somebody's own program with a fault in it."""

    kind = "audio"

    async def recv(self) -> av.AudioFrame:
        raise ZeroDivisionError


class Changing(MediaStreamTrack):
    """Another one, which gives what cannot be encoded."""

    kind = "audio"

    async def recv(self) -> av.AudioFrame:
        frame = av.AudioFrame(format="fltp", layout="mono", samples=960)
        frame.pts, frame.time_base, frame.sample_rate = 0, Fraction(1, RATE), RATE
        return frame


@pytest.mark.parametrize(("source", "error"), [(Faulty, ZeroDivisionError), (Changing, ValueError)])
async def test_a_faulty_microphone_is_heard_of(source: type[MediaStreamTrack], error: type[Exception]) -> None:
    failures: list[Exception] = []
    with pytest.raises(MediaStreamError):
        await Microphone(source(), failures.append).recv()
    assert [type(failure) for failure in failures] == [error]
