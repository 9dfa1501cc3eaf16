"""Writes what was heard to a file in real time: where nothing came, the file is silent."""

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av import AudioFrame, AudioResampler
from av.container import OutputContainer

from majlis_client.errors import MajlisError
from majlis_client.out_file import OutFile

RATE = 48_000
_FORMATS = {".ogg": ("ogg", "libopus"), ".opus": ("opus", "libopus"), ".wav": ("wav", "pcm_s16le")}
_FRAME = RATE // 50
# Smaller steps between frames are rounding, not silence.
_TOLERANCE = RATE // 100
_BIT_RATE = 48_000
_BUFFER_BYTES = 4096
# What a crash loses, and how late a full disk is noticed: half a second.
_AT_EACH_STEP = {"flush_packets": "1"}
_PAGES = {"page_duration": "200000"}
# How late sound may come to a place that is not silent yet.
_LATE = RATE * 5
# What a machine slept through is made up for piece by piece: other work goes on between.
_AT_ONCE = RATE * 60


class Recorder:
    """A mono recording at 48 kHz; the ending of the name chooses Ogg Opus (.ogg, .opus) or WAV.

    Time runs from the first `begin_session`; sessions that follow each other go on in the same file, at their time.
    Raises MajlisError at once where no such file can be written; a file of that name stays as it is until a session
    begins. When the disk takes no more later, `write` raises MajlisError, and what was recorded stays playable. Where
    nothing comes, only `keep_up` notices: call it every second or so.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        if path.suffix.lower() not in _FORMATS:
            raise MajlisError("invalid_argument", "FORMAT_UNKNOWN", f"{path.name}: use a name ending in .ogg or .wav")
        self.written = 0
        """Samples in the file so far."""
        self.heard = 0
        """Samples that came from the server."""
        self._format, self._codec = _FORMATS[path.suffix.lower()]
        self._monotonic = monotonic
        self._started: float | None = None
        self._base: int | None = None
        self._first_pts = 0
        self._silent_until = 0
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self._out = OutFile(path)
        self._container: OutputContainer | None = None
        self._stream: av.AudioStream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin_session(self) -> None:
        """A new session begins: its timestamps have nothing to do with those before."""
        if self._container is None:
            self._open()
        self._base = None

    def write(self, frame: AudioFrame) -> None:
        """Adds one decoded frame at its place; one that comes too late for it is left out.

        Raises MajlisError, WRITE_FAILED, when the file takes no more.
        """
        if self._out.failure:
            raise MajlisError("resource_exhausted", "WRITE_FAILED", self._out.failure)
        for mono in self._resampler.resample(frame):
            self._place(mono)

    def keep_up(self) -> None:
        """Fills with silence what passed without sound, all but the last seconds; `failure` says whether it could."""
        if self._container is not None:
            place = min(self._now() - _LATE, self.written + _AT_ONCE)
            if place > self.written:
                self._silence_until(place)
                self._silent_until = self.written

    def close(self) -> None:
        """Fills up to now with silence and finishes the file."""
        if self._container is not None:
            if not self._out.failure:
                self._silence_until(self._now())
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
            self._container = None
        self._out.close()

    @property
    def failure(self) -> str:
        """Why the file is not complete: what the system said when it took no more; empty when all is well."""
        return self._out.failure

    @property
    def seconds(self) -> float:
        """Length of the recording so far."""
        return self.written / RATE

    def _open(self) -> None:
        self._started = self._monotonic()
        self._out.begin()
        options = _AT_EACH_STEP | (_PAGES if self._codec == "libopus" else {})
        self._container = av.open(self._out, "w", format=self._format, options=options, buffer_size=_BUFFER_BYTES)
        stream = self._container.add_stream(self._codec, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        if self._codec == "libopus":
            self._stream.bit_rate = _BIT_RATE
        # Its head is written now: a file in which nobody has spoken yet can be played too.
        self._container.start_encoding()

    def _now(self) -> int:
        return 0 if self._started is None else int((self._monotonic() - self._started) * RATE)

    def _place(self, frame: AudioFrame) -> None:
        pts = frame.pts if frame.pts is not None and frame.time_base is not None else 0
        at_rate = int(pts * (frame.time_base or Fraction(1, RATE)) * RATE)
        if self._base is None:
            self._base, self._first_pts = max(self.written, self._now() - frame.samples), at_rate
        place = self._base + at_rate - self._first_pts
        if place < self._silent_until:
            # It comes too late for its place, as all does after it where a sender's clock stood still: to now with it.
            self._base, self._first_pts = max(self.written, self._now() - frame.samples), at_rate
            place = self._base
        # A sender's clock that jumps must not blow the file up: real time is the limit.
        place = min(place, max(self.written, self._now() + RATE))
        if place > self.written + _TOLERANCE:
            self._silence_until(place)
        elif place < self.written - _FRAME * 3:
            return
        self._encode(frame)
        self.heard += frame.samples

    def _silence_until(self, place: int) -> None:
        while self.written < place and not self._out.failure:
            samples = min(_FRAME, place - self.written)
            frame = AudioFrame(format="s16", layout="mono", samples=samples)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            self._encode(frame)

    def _encode(self, frame: AudioFrame) -> None:
        assert self._container is not None, "a session begins before its sound comes"
        frame.pts, frame.time_base, frame.sample_rate = self.written, Fraction(1, RATE), RATE
        self.written += frame.samples
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
