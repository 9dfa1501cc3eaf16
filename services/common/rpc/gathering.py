"""What many calls give to one stream: all that comes while a message is being written goes with the next one."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_GATHERED = 500
MOST_GATHERED_BYTES = 64 * 1024


class Gathering(Generic[T]):
    """Things on their way out, in order; how many there may be is up to who gives them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[T, int]] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T, size: int = 0) -> None:
        """Adds one of so many bytes."""
        self._waiting.append((item, size))
        self._arrived.set()

    async def take(self) -> list[T]:
        """What there is, in a message's measure: at least one, which may be larger alone."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        item, size = self._waiting.popleft()
        taken = [item]
        while self._waiting and len(taken) < MOST_GATHERED and size + self._waiting[0][1] <= MOST_GATHERED_BYTES:
            item, more = self._waiting.popleft()
            taken.append(item)
            size += more
        return taken
