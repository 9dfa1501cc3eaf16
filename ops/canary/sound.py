"""The canary's mouth, which says a melody when it is asked to, and its ear."""

import asyncio
import math
import time
from array import array
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from ops.canary.measure import RATE, TONE_SECONDS, TONES, Frame, Mark

_SAID_RATE = 48_000
_SAID_FRAME = _SAID_RATE // 50
_LEVEL = 0.3
_MOST_FRAMES = 3_000


class Mouth(MediaStreamTrack):
    """A microphone that is silent, and sends nothing, until `open`, and again after `shut`."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[Mark] = []
        self._opened = asyncio.Event()
        self._said = 0
        self._pts = 0
        self._due = 0.0
        self._frames = [_frames_of(hertz) for hertz in TONES]

    def open(self) -> None:
        """Begins to say the melody."""
        self.marks.clear()
        self._said, self._due = 0, time.monotonic()
        self._opened.set()

    def shut(self) -> None:
        """Falls silent."""
        self._opened.clear()

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        await self._opened.wait()
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        self._due = max(self._due, time.monotonic() - 0.5) + _SAID_FRAME / _SAID_RATE
        each = round(TONE_SECONDS * _SAID_RATE / _SAID_FRAME)
        tone = self._said // each % len(TONES)
        if self._said % each == 0:
            self.marks.append(Mark(time.monotonic(), tone))
        frame = AudioFrame(format="s16", layout="mono", samples=_SAID_FRAME)
        frame.planes[0].update(self._frames[tone][self._said % len(self._frames[tone])])
        frame.sample_rate, frame.pts, frame.time_base = _SAID_RATE, self._pts, Fraction(1, _SAID_RATE)
        self._said += 1
        self._pts += _SAID_FRAME
        return frame

    def stop(self) -> None:
        """Ends the track, one that waits to be opened too."""
        super().stop()
        self._opened.set()


class Ear:
    """Keeps what arrives, boundedly much."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.first = asyncio.Event()
        """Set with the first frame that arrives."""
        self._resampler = AudioResampler(format="s16", layout="mono", rate=_SAID_RATE)
        self._base: float | None = None

    def hear(self, frame: AudioFrame) -> None:
        """Takes one decoded frame."""
        now = time.monotonic()
        self.first.set()
        if len(self.frames) >= _MOST_FRAMES or frame.pts is None or frame.time_base is None:
            return
        place = float(frame.pts * frame.time_base)
        self._base = place if self._base is None else self._base
        for part in self._resampler.resample(frame):
            samples = array("h")
            samples.frombytes(bytes(part.planes[0])[: part.samples * 2])
            self.frames.append(Frame(now, place - self._base, _thinned(samples)))


def _thinned(samples: "array[int]") -> "array[int]":
    """The means of groups: enough of a filter for tones this low, and no frame changes its length."""
    group = _SAID_RATE // RATE
    return array("h", (sum(samples[at : at + group]) // group for at in range(0, len(samples) - group + 1, group)))


def _frames_of(hertz: int) -> list[bytes]:
    """The frames after which a tone repeats, without a click: every tone fits a whole number of times into them."""
    count = math.lcm(_SAID_RATE // math.gcd(_SAID_RATE, hertz), _SAID_FRAME) // _SAID_FRAME
    values = array(
        "h",
        (
            int(32767 * _LEVEL * math.sin(2 * math.pi * hertz * number / _SAID_RATE))
            for number in range(count * _SAID_FRAME)
        ),
    )
    whole = values.tobytes()
    return [whole[at : at + _SAID_FRAME * 2] for at in range(0, len(whole), _SAID_FRAME * 2)]
