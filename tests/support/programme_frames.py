"""A home relay's frames, as they travel on the bus, without a relay."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from majlis.programme.v1.programme_pb2 import Frame

from services.common.bus.client import Bus
from services.common.tasks import Background

_FRAME_SAMPLES = 960
_SAMPLE_RATE = 48_000
_EPOCH_1900 = 2_208_988_800


def wire(opus: bytes, number: int, stream: int = 9, frame_samples: int = _FRAME_SAMPLES) -> bytes:
    """The `number`th frame of a stream, as services/media_relay/packetcore/crates/programme/src/frame.rs has it."""
    captured = int((time.time() + _EPOCH_1900) * 2**32)
    at = (number * frame_samples) % 2**32
    return struct.pack(">BBBBIIIQI", 0x10, 30, 1, 0, stream, number % 2**32, at, captured, 77) + opus


class PlayedProgramme:
    """Tells the frames of one channel, whoever wants them."""

    def __init__(self, bus: Bus, room_id: str, channel: str = "floor", frame_samples: int = _FRAME_SAMPLES) -> None:
        self._frame_samples = frame_samples
        self._bus = bus
        self._ids = {"room_id": room_id, "channel": channel}
        self.number = 0
        self.stream = 9
        """What tells its mixer from others."""

    def tell(self, opus: bytes) -> None:
        """The next frame."""
        self.number += 1
        self._bus.publish_bytes(Frame, wire(opus, self.number, self.stream, self._frame_samples), **self._ids)

    @asynccontextmanager
    async def speaking(self, packet: Callable[[int], bytes]) -> AsyncIterator[None]:
        """Tells a packet each frame until the block ends."""

        async def speak() -> None:
            loop = asyncio.get_running_loop()
            due = loop.time()
            while True:
                self.tell(packet(self.number))
                due += self._frame_samples / _SAMPLE_RATE
                await asyncio.sleep(max(0.0, due - loop.time()))

        async with Background() as background:
            background.spawn("somebody speaks", speak)
            yield
