"""Lets so many calls of a crowd through at once; who would wait for long is told at once when to come back."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

from services.common.errors import Crowded

MOST_INSIDE = 64
"""Calls under way: more of them only make each take longer."""
MOST_KNOCKING = 8
"""As many connections as one turn of the loop accepts. While more wait, calls are carried on at a rate, the slower the
more: whoever is at the door gets a page and an answer first, even if it is only when to come back."""
PRESSED_RATE = 100.0
"""A second, with so many at the door; half of it with twice as many, and never less than LEAST_RATE. It is no count of
calls under way, since those are few or many by how long services take: the door stayed shut on a machine that others
had."""
LEAST_RATE = 25.0
LONGEST_SECONDS = 0.5
"""Nobody joins a queue that takes longer."""
_PATIENCE_SECONDS = 0.7
"""Whose turn takes longer after all is sent away too: with the call itself nobody waits more than a second."""
LEAST_QUEUE = 64
LATEST_SECONDS = 60.0
LATEST_AGAIN_SECONDS = 10.0
"""Whoever belongs inside, or has come back as they were told, is not sent away for longer: a place is kept for so long
only, and nobody who came later is to be answered before."""
OTHERS_TURN = 4
"""Each of so many turns is for newcomers first, whatever the others bring."""
_FIRST_RATE = 100.0
_LEAST_SHARE = 1 / OTHERS_TURN
_SOONEST_SECONDS = 1.0
_LOOK_SECONDS = 0.25
_SPREAD = 0.2


class Rank(IntEnum):
    """Who goes before whom."""

    INSIDE = 0
    """Has a seat or a place in the line."""
    DUE = 1
    """Was sent away and comes back when they were told."""
    NEW = 2
    EARLY = 3
    """Was sent away and did not wait until then: their time stands."""


class Pace:
    """Lets through so many a second, and a few at once."""

    def __init__(self, at_once: float, now: Callable[[], float]) -> None:
        self._at_once, self._now = at_once, now
        self._left, self._since = at_once, now()

    def take(self, a_second: float) -> bool:
        """One of them, if there is one at the rate that holds since the last time."""
        now = self._now()
        self._left = min(self._at_once, self._left + (now - self._since) * a_second)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Turnstile:
    """One for all calls that draw crowds. First come, first served within a rank, and a queue that is short in time.

    Whoever is sent away is told to come back when the others who were will have been answered, so that they do not come
    back together; where nothing is known yet of how fast calls are answered, it supposes little.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, knocking: Callable[[], int] = lambda: 0) -> None:
        """`knocking` tells how many connections wait to be accepted."""
        self._now = now
        self._knocking = knocking
        self._pace = Pace(MOST_KNOCKING, now)
        self._look: asyncio.TimerHandle | None = None
        self._inside = 0
        self._queues: tuple[deque[asyncio.Future[bool]], ...] = tuple(deque() for _ in Rank)
        self._turns = 0
        self._a_second = _FIRST_RATE
        self._share = 1.0
        """How much of that is left for those who have no place yet."""
        self._answered = 0
        self._of_insiders = 0
        self._since = now()
        self._next = 0.0
        """When the last of those who were sent away is expected."""

    @property
    def is_crowded(self) -> bool:
        """Whether it matters who goes first."""
        return self._waiting() > 0 or self._inside >= MOST_INSIDE or self._knocking() > MOST_KNOCKING

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncGenerator[None, None]:
        """Around one call. Raises Crowded."""
        self._let_in()
        if not self._waiting() and self._may_go():
            self._inside += 1
        else:
            await self._queue_up(rank)
        try:
            yield
        finally:
            self._note(rank)
            self._pass_on()

    async def _queue_up(self, rank: Rank) -> None:
        if self._waiting() >= self._longest() and not self._displace(rank):
            raise self._refusal(rank)
        turn = asyncio.get_running_loop().create_future()
        queue = self._queues[rank]
        queue.append(turn)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                is_let_in = await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_up(turn, queue)
            if isinstance(error, TimeoutError):
                raise self._refusal(rank) from None
            raise
        if not is_let_in:
            raise self._refusal(rank)

    def _may_go(self) -> bool:
        """Whether one more call may be carried on; it is, then."""
        if self._inside >= MOST_INSIDE:
            return False
        rate = self._rate()
        return rate is None or self._pace.take(rate)

    def _rate(self) -> float | None:
        """How many may be carried on a second; None for any number."""
        knocking = self._knocking()
        return None if knocking <= MOST_KNOCKING else max(LEAST_RATE, PRESSED_RATE * MOST_KNOCKING / knocking)

    def _longest(self) -> float:
        """How many may wait: nobody is to wait in vain."""
        rate = self._rate()
        return max(LEAST_QUEUE, self._a_second * LONGEST_SECONDS) if rate is None else rate * LONGEST_SECONDS

    def _waiting(self) -> int:
        return sum(map(len, self._queues))

    def _displace(self, rank: Rank) -> bool:
        """Sends the last of a later rank away; says whether there was one."""
        for later in reversed(self._queues[rank + 1 :]):
            while later:
                last = later.pop()
                # Whoever has just lost patience is about to go by themselves.
                if not last.done():
                    last.set_result(False)
                    return True
        return False

    def _give_up(self, turn: "asyncio.Future[bool]", queue: "deque[asyncio.Future[bool]]") -> None:
        """A turn that came in the same moment goes to the next."""
        if turn in queue:
            queue.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.result():
            self._pass_on()
        turn.cancel()

    def _pass_on(self) -> None:
        self._inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        """Gives turns to those who are next, as many as may be inside."""
        while self._waiting() and self._may_go():
            self._let_one_in()
        if self._look is None and self._waiting() and self._inside < MOST_INSIDE:
            # Nobody else may come or go by whom the queue would move.
            self._look = asyncio.get_running_loop().call_later(1 / PRESSED_RATE, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        self._let_in()

    def _let_one_in(self) -> None:
        self._turns += 1
        insiders, *others = self._queues
        for queue in (insiders, *others) if self._turns % OTHERS_TURN else (*others, insiders):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    self._inside += 1
                    turn.set_result(True)
                    return

    def _note(self, rank: Rank) -> None:
        """How many are answered a second, as far as that is seen while there are enough of them."""
        self._answered += 1
        self._of_insiders += rank is Rank.INSIDE
        now = self._now()
        if now - self._since < _LOOK_SECONDS:
            return
        seen = self._answered / (now - self._since)
        if self._waiting() or seen > self._a_second:
            self._a_second += 0.3 * (seen - self._a_second)
            self._share += 0.3 * (1 - self._of_insiders / self._answered - self._share)
        self._answered, self._of_insiders, self._since = 0, 0, now

    def _refusal(self, rank: Rank) -> Crowded:
        now = self._now()
        if rank is Rank.NEW:
            a_second = self._a_second * max(_LEAST_SHARE, self._share)
            self._next = min(max(self._next + 1 / a_second, now + _SOONEST_SECONDS), now + LATEST_SECONDS)
            after = (self._next - now) * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 (jitter)
        else:
            latest = min(LATEST_AGAIN_SECONDS, self._next - now)
            after = random.uniform(_SOONEST_SECONDS, max(2 * _SOONEST_SECONDS, latest))  # noqa: S311 (jitter)
        return Crowded("very many people come at once just now", retry_after_seconds=max(_SOONEST_SECONDS, after))
