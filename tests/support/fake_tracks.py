"""What a small server for tests of clients sends: a tone, or nothing."""

import asyncio
import math
from array import array
from fractions import Fraction

from aiortc import MediaStreamTrack
from av import AudioFrame

RATE = 48_000


class Tone(MediaStreamTrack):
    """A steady tone in real time."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._hertz = hertz
        self._pts = 0
        self._started: float | None = None

    async def recv(self) -> AudioFrame:
        now = asyncio.get_running_loop().time()
        self._started = now if self._started is None else self._started
        await asyncio.sleep(max(0.0, self._started + self._pts / RATE - now))
        turn = 2 * math.pi * self._hertz / RATE
        samples = array("h", (int(12000 * math.sin(turn * (self._pts + at))) for at in range(960)))
        frame = AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(samples.tobytes())
        frame.pts, frame.time_base, frame.sample_rate = self._pts, Fraction(1, RATE), RATE
        self._pts += 960
        return frame


class Silence(MediaStreamTrack):
    """Sends nothing, as a relay does where nobody speaks."""

    kind = "audio"

    async def recv(self) -> AudioFrame:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets it")
