"""A WebRTC client of the tests' own: says tones, records what it hears, and shares no media code with the relay."""

import asyncio
import bisect
import contextlib
import fractions
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.support.loopback import offer_only
from tests.support.voices import SAMPLE_RATE, Samples

FRAME = SAMPLE_RATE // 50
LATE_SECONDS = 0.5


class Tone(MediaStreamTrack):
    """A microphone that hears one steady tone, in real time."""

    kind = "audio"

    def __init__(self, hertz: float, level: float = 0.3) -> None:
        super().__init__()
        self.hertz = hertz
        self.level = level
        self._sample = 0
        self._began: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        said = self._sample / SAMPLE_RATE
        if self._began is None or loop.time() - self._began - said > LATE_SECONDS:
            # Between two sessions nobody listens: it goes on instead of catching up.
            self._began = loop.time() - said
        await asyncio.sleep(max(0.0, self._began + said - loop.time()))
        at = np.arange(self._sample, self._sample + FRAME)
        wave = (32767 * self.level * np.sin(2 * math.pi * self.hertz * at / SAMPLE_RATE)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._sample, fractions.Fraction(1, SAMPLE_RATE)
        self._sample += FRAME
        return frame


class Ear:
    """Records one received track."""

    def __init__(self) -> None:
        self._chunks: list[Samples] = []
        self._times: list[float] = []

    async def listen(self, track: MediaStreamTrack) -> None:
        """Records until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self.take(frame)

    def take(self, frame: av.AudioFrame) -> None:
        """Records one decoded frame."""
        # What decoders give as floating point, each channel by itself, is in full scale already.
        floating = frame.format.name.startswith("flt")
        told, channels = frame.to_ndarray(), len(frame.layout.channels)
        samples = told[0] if frame.format.is_planar else told.reshape(-1, channels)[:, 0]
        self._chunks.append(samples.astype(np.float32) / np.float32(1 if floating else 32768))
        self._times.append(time.monotonic())

    def forget(self) -> None:
        """Starts the recording anew."""
        self._chunks.clear()
        self._times.clear()

    def lately(self, seconds: float) -> Samples:
        """What came in the last so many seconds; nothing, where nothing came."""
        first = bisect.bisect_left(self._times, time.monotonic() - seconds)
        return np.concatenate([np.zeros(0, np.float32), *self._chunks[first:]])

    @property
    def heard(self) -> Samples:
        """Everything recorded since it was last forgotten."""
        return np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.float32)


class Client:
    """One peer connection: a listener, or a speaker with slots."""

    def __init__(self, speaks: Tone | None = None, slots: int = 0, address: str = "127.0.0.1") -> None:
        self.pc = RTCPeerConnection()
        self._address = address
        self.ears: list[Ear] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.pc.on("track", self._on_track)
        if speaks is not None:
            self.pc.addTransceiver(speaks, direction="sendonly")
        for _ in range(slots if speaks is not None else 1):
            self.pc.addTransceiver("audio", direction="recvonly")

    @property
    def ear(self) -> Ear:
        return self.ears[0]

    async def offer(self) -> str:
        """The SDP offer."""
        offer_only(self.pc, self._address)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Takes the answer and waits until media may flow."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for _ in range(500):
            if self.pc.connectionState == "connected":
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"the connection is {self.pc.connectionState}")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pc.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        ear = Ear()
        self.ears.append(ear)
        self._tasks.append(asyncio.get_running_loop().create_task(ear.listen(track)))


@asynccontextmanager
async def client(speaks: Tone | None = None, slots: int = 0, address: str = "127.0.0.1") -> AsyncIterator[Client]:
    """A client that is closed at the end."""
    made = Client(speaks, slots, address)
    try:
        yield made
    finally:
        await made.close()
