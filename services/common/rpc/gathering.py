"""What many calls give to one stream: what comes close together goes in one message.

A message costs as much as what it is about, mostly by threads that wake one another at both ends. All that comes while
one is being written goes with the next; and while many come, a message waits a moment for more.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_GATHERED = 500
MOST_GATHERED_BYTES = 64 * 1024
GATHER_SECONDS = 0.025
"""Between two messages while many come; a call waits half of it, there and back."""
ENOUGH = 8
"""So many wait no longer: what a message costs is shared by then."""
MANY = 12
MANY_WITHIN_SECONDS = 0.25
"""So many within so long are many. Whoever asks alone, one call after the other, never waits for long."""


class Gathering(Generic[T]):
    """Things on their way out, in order; how many there may be is up to who gives them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[T, int]] = deque()
        self._arrived = asyncio.Event()
        self._goes = asyncio.Event()
        """What waits has waited long enough, or is enough."""
        self._came_at: deque[float] = deque(maxlen=MANY)
        self._went_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T, size: int = 0) -> None:
        """Adds one of so many bytes."""
        self._waiting.append((item, size))
        self._came_at.append(asyncio.get_running_loop().time())
        self._arrived.set()
        if len(self._waiting) >= ENOUGH:
            self._goes.set()

    async def take(self) -> list[T]:
        """What there is, in a message's measure: at least one, which may be larger alone."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        await self._gather()
        item, size = self._waiting.popleft()
        taken = [item]
        while self._waiting and len(taken) < MOST_GATHERED and size + self._waiting[0][1] <= MOST_GATHERED_BYTES:
            item, more = self._waiting.popleft()
            taken.append(item)
            size += more
        return taken

    async def _gather(self) -> None:
        """While many come, lets them come until the last message is a moment ago."""
        loop = asyncio.get_running_loop()
        now, until = loop.time(), self._went_at + GATHER_SECONDS
        many = len(self._came_at) == MANY and now - self._came_at[0] < MANY_WITHIN_SECONDS
        if many and now < until and len(self._waiting) < ENOUGH:
            self._goes.clear()
            timer = loop.call_at(until, self._goes.set)
            try:
                await self._goes.wait()
            finally:
                timer.cancel()
        self._went_at = loop.time()
