"""Plays a sound file as a microphone: 20 ms at a time, in real time."""

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, FFmpegError

from majlis_client.errors import MajlisError

RATE = 48_000
_FRAME = RATE // 50
_LATE_SECONDS = 0.5


class FileTrack(MediaStreamTrack):
    """A microphone that says what is in a file, once or over and over; any format FFmpeg reads will do.

    `finished` is set when the file has been said to its end. Raises MajlisError at once when it cannot be read.
    """

    kind = "audio"

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        super().__init__()
        self.finished = asyncio.Event()
        self.seconds = 0.0
        """How much has been said."""
        self._path = path
        self._over_and_over = loop
        self._frames = self._decode()
        self._next: AudioFrame | None = self._pull()
        if self._next is None:
            raise MajlisError("invalid_argument", "NO_SOUND", f"{path} has no sound in it")
        self._started: float | None = None
        self._pts = 0

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due; ends the track after the last."""
        frame = self._next
        if self.readyState != "live" or frame is None:
            self.finished.set()
            self.stop()
            raise MediaStreamError
        await self._until_due()
        frame.pts, frame.time_base = self._pts, Fraction(1, RATE)
        self._pts += frame.samples
        self.seconds = self._pts / RATE
        self._next = self._pull()
        return frame

    async def _until_due(self) -> None:
        now = asyncio.get_running_loop().time()
        late = 0.0 if self._started is None else now - self._started - self._pts / RATE
        if self._started is None or late > _LATE_SECONDS:
            # After a pause, for example between two sessions, speech goes on instead of catching up.
            self._started, late = now - self._pts / RATE, 0.0
        await asyncio.sleep(max(0.0, -late))

    def _pull(self) -> AudioFrame | None:
        frame = next(self._frames, None)
        if frame is None and self._over_and_over:
            self._frames = self._decode()
            frame = next(self._frames, None)
        return frame

    def _decode(self) -> Iterator[AudioFrame]:
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=_FRAME)
        try:
            with av.open(str(self._path)) as container:
                if not container.streams.audio:
                    return
                for frame in container.decode(audio=0):
                    yield from resampler.resample(frame)
                # The rest that fills no whole frame.
                yield from (frame for frame in resampler.resample(None) if frame.samples)
        except (FFmpegError, OSError) as error:
            raise MajlisError("invalid_argument", "NO_SOUND", f"cannot read {self._path}: {error}") from error


class Microphone(MediaStreamTrack):
    """One session's microphone for a file that several sessions say, one after another.

    aiortc ends a sender's track with the sender; the file goes on where the session before left it.
    """

    kind = "audio"

    def __init__(self, source: FileTrack) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> AudioFrame:
        """The file's next frame."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self._source.recv()
