"""Plays a sound file as a microphone: 20 ms at a time, in real time."""

import asyncio
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, FFmpegError, Packet
from av.frame import Frame

from majlis_client.decoding import RATE, decode
from majlis_client.errors import MajlisError

_LATE_SECONDS = 0.5


class Said(MediaStreamTrack):
    """A microphone that says something; `finished` is set when that is over, and `failure` where it broke off."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.finished = asyncio.Event()
        self.failure: Exception | None = None
        self.seconds = 0.0
        """How much has been said."""


class Silence(Said):
    """A microphone into which nobody speaks; it is never finished."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: float | None = None
        self._pts = 0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        self._begun = now if self._begun is None else self._begun
        await asyncio.sleep(max(0.0, self._begun + self._pts / RATE - now))
        frame = AudioFrame(format="s16", layout="mono", samples=RATE // 50)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._pts, Fraction(1, RATE)
        self._pts += frame.samples
        return frame


class FileTrack(Said):
    """A microphone that says what is in a file, once or over and over; any format FFmpeg reads will do.

    `finished` is set when the file has been said to its end, or to where it cannot be read on: `failure` then says why.
    Raises MajlisError at once when it cannot be read at all.
    """

    def __init__(
        self, path: Path, *, loop: bool = False, read: Callable[[Path], Iterator[AudioFrame]] = decode
    ) -> None:
        super().__init__()
        self._path = path
        self._over_and_over = loop
        self._read = read
        self._frames = read(path)
        self._next: AudioFrame | None = self._pull()
        if self._next is None:
            raise MajlisError("invalid_argument", "NO_SOUND", f"{path} has no sound in it")
        self._started: float | None = None
        self._pts = 0

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due; ends the track after the last."""
        frame = self._next
        if self.readyState != "live" or frame is None:
            self._finish()
            raise MediaStreamError
        await self._until_due()
        frame.pts, frame.time_base = self._pts, Fraction(1, RATE)
        self._pts += frame.samples
        self.seconds = self._pts / RATE
        try:
            self._next = self._pull()
        except Exception as error:  # noqa: BLE001 (raised here it would vanish in the task that sends)
            self.failure, self._next = error, None
        return frame

    def _finish(self) -> None:
        self.finished.set()
        self.stop()

    async def _until_due(self) -> None:
        now = asyncio.get_running_loop().time()
        late = 0.0 if self._started is None else now - self._started - self._pts / RATE
        if self._started is None or late > _LATE_SECONDS:
            # After a pause, for example between two sessions, speech goes on instead of catching up.
            self._started, late = now - self._pts / RATE, 0.0
        await asyncio.sleep(max(0.0, -late))

    def _pull(self) -> AudioFrame | None:
        try:
            frame = next(self._frames, None)
            if frame is None and self._over_and_over:
                self._frames = self._read(self._path)
                frame = next(self._frames, None)
        except (FFmpegError, OSError) as error:
            why = error.strerror or str(error)
            raise MajlisError("invalid_argument", "NO_SOUND", f"cannot read {self._path}: {why}") from error
        return frame


class Turn(MediaStreamTrack):
    """One session's turn at a source that several share: it gives nothing before it begins and after it is over."""

    kind = "audio"

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self._source = source
        self._has = asyncio.Event()

    def begin(self) -> None:
        """The source's next frame comes here."""
        self._has.set()

    def end(self) -> None:
        """The frame that is asked for already still comes here, and none after it."""
        self._has.clear()

    async def recv(self) -> "Frame | Packet[Any]":
        """The source's next frame."""
        await self._has.wait()
        frame: Frame | Packet[Any] = await self._source.recv()
        return frame


class Microphone(MediaStreamTrack):
    """One session's microphone: passes a source on, which other sessions may go on with, and fails aloud.

    aiortc ends a sender's track with the sender; the source goes on where the session before left it. What a source
    raises, or gives that cannot be sent, would end in aiortc's log: `on_failure` is told instead.
    """

    kind = "audio"

    def __init__(self, source: MediaStreamTrack, on_failure: Callable[[Exception], None]) -> None:
        super().__init__()
        self._source = source
        self._on_failure = on_failure
        self._setup: tuple[str, str, int] | None = None

    async def recv(self) -> "Frame | Packet[Any]":
        """The source's next frame."""
        if self.readyState != "live":
            raise MediaStreamError
        try:
            frame: Frame | Packet[Any] = await self._source.recv()
            self._check(frame)
        except (MediaStreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            self._on_failure(error)
            raise MediaStreamError from error
        return frame

    def _check(self, frame: "Frame | Packet[Any]") -> None:
        """Raises ValueError for what aiortc's encoder would stumble over."""
        if isinstance(frame, Packet):
            return
        if not isinstance(frame, AudioFrame):
            raise ValueError(f"a microphone gives audio frames, not {type(frame).__name__}")  # noqa: TRY004 (a value)
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        self._setup = self._setup or setup
        if setup[0] != "s16" or setup[1] not in {"mono", "stereo"} or setup != self._setup:
            raise ValueError(f"a microphone keeps to s16, mono or stereo, at one rate: {self._setup}, then {setup}")
        if frame.pts is None or frame.time_base is None:
            raise ValueError("the frames of a microphone need pts and time_base")
