"""Lets so many calls of a crowd through at once; who would wait for long is told at once when to come back."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from services.common.errors import Crowded

MOST_INSIDE = 64
"""Calls under way: more of them only make each take longer."""
LONGEST_SECONDS = 0.5
"""Nobody joins a queue that takes longer."""
_PATIENCE_SECONDS = 0.7
"""Whose turn takes longer after all is sent away too: with the call itself nobody waits more than a second."""
LEAST_QUEUE = 64
LATEST_SECONDS = 60.0
_FIRST_RATE = 100.0
_SOONEST_SECONDS = 1.0
_LOOK_SECONDS = 0.25
_SPREAD = 0.2


class Turnstile:
    """One for all calls that draw crowds. First come, first served, and a queue that is short in time.

    Whoever is sent away is told to come back when the others who were will have been answered, so that they do not come
    back together; where nothing is known yet of how fast calls are answered, it supposes little.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._a_second = _FIRST_RATE
        self._answered = 0
        self._since = now()
        self._next = 0.0
        """When the last of those who were sent away is expected."""

    def check(self) -> None:
        """Raises Crowded for somebody who would be sent away just now: nothing of theirs needs to be read."""
        if self._inside >= MOST_INSIDE and len(self._queue) >= max(LEAST_QUEUE, self._a_second * LONGEST_SECONDS):
            raise self._refusal()

    async def __aenter__(self) -> Self:
        """Raises Crowded."""
        self.check()
        if self._inside < MOST_INSIDE:
            self._inside += 1
            return self
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise self._refusal() from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._note()
        self._pass_on()

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """A turn that came in the same moment goes to the next."""
        if turn.done() and not turn.cancelled():
            self._pass_on()
        turn.cancel()

    def _pass_on(self) -> None:
        self._inside -= 1
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
                return

    def _note(self) -> None:
        """How many are answered a second, as far as that is seen while there are enough of them."""
        self._answered += 1
        now = self._now()
        if now - self._since < _LOOK_SECONDS:
            return
        seen = self._answered / (now - self._since)
        if self._queue or seen > self._a_second:
            self._a_second += 0.3 * (seen - self._a_second)
        self._answered, self._since = 0, now

    def _refusal(self) -> Crowded:
        now = self._now()
        self._next = min(max(self._next + 1 / self._a_second, now + _SOONEST_SECONDS), now + LATEST_SECONDS)
        after = (self._next - now) * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 (jitter)
        return Crowded("very many people come at once just now", retry_after_seconds=max(_SOONEST_SECONDS, after))
