"""Reads any sound file as players do: damaged pieces are left out, and a change of format is followed."""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
from av import AudioFrame, AudioResampler
from av.audio.fifo import AudioFifo

RATE = 48_000
FRAME = RATE // 50
"""Samples in 20 ms."""

# Where an Ogg page has what tells of its length and place (RFC 3533 §6).
_OGG_HEADER = 27
_OGG_FIRST = 0x02


def decode(path: Path) -> Iterator[AudioFrame]:
    """A file's sound as frames of 20 ms, mono at 48 kHz; the last one may be shorter.

    Raises FFmpegError or OSError when the file cannot be opened, or cannot be read on.
    """
    fifo = AudioFifo()
    for part in _parts(path):
        for frame in _uniform(part):
            frame.pts = None
            fifo.write(frame)
            yield from fifo.read_many(FRAME)
    # The rest that fills no whole frame.
    yield from fifo.read_many(FRAME, partial=True)


def _uniform(source: "str | _Window") -> Iterator[AudioFrame]:
    """One stream as mono at 48 kHz, whatever formats it goes through."""
    resampler, setup = _resampler(), None
    for frame in _decoded(source):
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if setup not in (None, now):
            # A resampler keeps the format it began with; what it still holds is of the old one.
            yield from _rest(resampler)
            resampler = _resampler()
        setup = now
        # Timestamps that jump where a piece is missing would make it refuse the frame or fill in.
        frame.pts = None
        yield from resampler.resample(frame)
    if setup is not None:
        yield from _rest(resampler)


def _resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=RATE)


def _rest(resampler: AudioResampler) -> Iterator[AudioFrame]:
    yield from (frame for frame in resampler.resample(None) if frame.samples)


def _decoded(source: "str | _Window") -> Iterator[AudioFrame]:
    # Playlists name further files: none of them is fetched from anywhere.
    with av.open(source, "r", options={"protocol_whitelist": "file"}) as container:
        if not container.streams.audio:
            return
        for packet in container.demux(container.streams.audio[0]):
            # A frame that makes no sense is a moment's silence lost, not the end of the file.
            with suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    assert isinstance(frame, AudioFrame)
                    yield frame


class _Window(io.RawIOBase):
    """A piece of a file, as a file."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        super().__init__()
        self.name = path.name
        self._file = path.open("rb")
        self._start, self._end, self._at = start, end, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        self._file.seek(self._at)
        found = self._file.read(min(len(buffer), self._end - self._at))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._start, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = min(self._end, max(self._start, base + offset))
        return self._at - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


def _parts(path: Path) -> "Iterator[str | _Window]":
    """The file itself; or the streams of a chained Ogg file one by one, for FFmpeg stops where their layout changes."""
    starts = _chain(path)
    if len(starts) < 2:
        # Never a URL, whatever the name looks like.
        yield f"file:{path}"
        return
    for start, end in zip(starts, [*starts[1:], path.stat().st_size], strict=True):
        with _Window(path, start, end) as window:
            yield window


def _chain(path: Path) -> list[int]:
    """Where the streams of a chained Ogg file begin (RFC 3533 §4); nothing for other files."""
    starts: list[int] = []
    at, opening = 0, False
    with path.open("rb") as file:
        while True:
            file.seek(at)
            header = file.read(_OGG_HEADER + 255)
            if len(header) < _OGG_HEADER or header[:4] != b"OggS":
                return starts
            first = bool(header[5] & _OGG_FIRST)
            if first and not opening:
                starts.append(at)
            opening = first
            segments = header[26]
            at += _OGG_HEADER + segments + sum(header[_OGG_HEADER : _OGG_HEADER + segments])
