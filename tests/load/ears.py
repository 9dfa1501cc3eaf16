"""Listeners who decode what they hear, and how long the tool that plays them stood still itself."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from av import AudioFrame
from majlis_client.listening import Listener

from tests.load.blows import FRAME_SECONDS
from tests.support.members import Member

LOUD = 500
"""The tone in 16-bit samples; what a decoder makes up for lost packets fades below it."""
HEARS_SECONDS = 0.5
"""Who heard something within it hears."""


@dataclass(eq=False)
class Ear:
    """A listener and the moments at which frames with the voice in them came."""

    member: Member
    heard: deque[float] = field(default_factory=lambda: deque(maxlen=5000))
    listener: Listener | None = None
    listening: "asyncio.Task[str] | None" = None

    def start(self, room_id: str) -> None:
        self.listener = Listener(self.member.client, room_id, self._on_frame)
        self.listening = asyncio.ensure_future(self.listener.run())

    def _on_frame(self, frame: AudioFrame) -> None:
        if np.abs(frame.to_ndarray()).max() > LOUD:
            self.heard.append(time.monotonic())

    @property
    def relay(self) -> str:
        """The relay that serves it."""
        return self.listener.relay if self.listener is not None else ""

    def hears(self) -> bool:
        return bool(self.heard) and self.heard[-1] > time.monotonic() - HEARS_SECONDS

    def gap(self, since: float, until: float) -> float:
        """The longest wait for a frame between two moments."""
        before = max((at for at in self.heard if at <= since), default=since)
        times = [before, *(at for at in self.heard if since < at <= until), until]
        return max(later - earlier for earlier, later in pairwise(times))

    def came(self, since: float, until: float) -> int:
        """Frames that came between two moments."""
        return sum(since < at <= until for at in self.heard)

    async def stop(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.gather(self.listening, return_exceptions=True)
        await self.member.leave_for_good()


class Stall:
    """How long this tool itself stood still, which is no gap of the system's."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def measure(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(FRAME_SECONDS)
            self.longest = max(self.longest, time.monotonic() - began - FRAME_SECONDS)
