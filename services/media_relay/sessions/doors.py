"""Lets new sessions begin no faster than handshakes end, so that a crowd waits at the door instead of inside."""

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.media_relay.domain.errors import RelayBusy
from services.media_relay.domain.events import Event, SessionConnected, SessionEnded, SessionOpened

WAIT_SECONDS = 3.0
"""Less than callers wait for the answer."""
LONGEST_QUEUE = 1_000
_SPREAD_SECONDS = 3.0
BURST_SECONDS = 0.5
"""So much of the pace may come at once."""
PACE_SECONDS = 1.0
"""Longest that somebody waits for the pace; who would wait longer is told when to come back."""


class Doors:
    """Bounds the sessions that are open but not connected yet.

    Without a bound a relay with too much to do begins all handshakes, ends none in time, and does the same work again
    for the same people. Who comes while all places are taken waits in turn, and is told to come back after a while.
    Nobody new comes in faster than the work goes that those inside leave over.
    """

    def __init__(
        self, places: int, wait_seconds: float = WAIT_SECONDS, pace: Callable[[], float] = lambda: math.inf
    ) -> None:
        """`pace` says how many may come in a second, now."""
        self._places = places
        self._wait_seconds = wait_seconds
        self._pace = pace
        self._paced_to = -math.inf
        self._half_open: set[int] = set()
        self._entering = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, *, preferred: bool = False) -> AsyncIterator[bool]:
        """A place for one that opens a session now; what it opens then holds the place. Raises RelayBusy.

        It is told whether it had to wait. Who comes back does not wait for the pace, and slows that of newcomers down.
        """
        paced = await self._in_pace(preferred)
        queued = await self._enter()
        try:
            yield paced or queued
        finally:
            self._left()

    def happened(self, event: Event, now: float) -> None:  # noqa: ARG002 (the port's shape)
        """Follows what becomes of sessions."""
        match event:
            case SessionOpened(session=session):
                self._half_open.add(session.handle)
            case SessionConnected(session=session) | SessionEnded(session=session):
                self._half_open.discard(session.handle)
                self._admit()
            case _:
                pass

    async def _in_pace(self, preferred: bool) -> bool:
        """Returns when the pace allows it; whether that took time."""
        now, before = asyncio.get_running_loop().time(), self._paced_to
        self._paced_to = max(now - BURST_SECONDS, before) + 1 / self._pace()
        wait = self._paced_to - now
        if preferred or wait <= 0:
            return False
        if wait > PACE_SECONDS:
            self._paced_to = before
            raise _busy(wait)
        await asyncio.sleep(wait)
        return True

    async def _enter(self) -> bool:
        """Returns with a place; whether that took time."""
        if self._has_place() and not self._waiting:
            self._entering += 1
            return False
        if len(self._waiting) >= LONGEST_QUEUE:
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._left()
            else:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise
        return True

    def _left(self) -> None:
        self._entering -= 1
        self._admit()

    def _has_place(self) -> bool:
        return len(self._half_open) + self._entering < self._places

    def _admit(self) -> None:
        while self._waiting and self._has_place():
            self._entering += 1
            self._waiting.popleft().set_result(None)


def _busy(wait: float = 1.0) -> RelayBusy:
    # Spread, or those who were refused together would come back together.
    seconds = random.uniform(wait, wait + _SPREAD_SECONDS)  # noqa: S311 (jitter)
    return RelayBusy("many people come in just now: try again in a moment", retry_after_seconds=seconds)
