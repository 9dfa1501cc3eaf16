"""Notices that a connection is gone long before ICE does: nothing comes, or this program or the whole machine slept."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LONGEST_SECONDS = 20.0
"""Less than the thirty seconds for which a relay keeps a connection without a sign of life (RFC 7675 §5.1)."""
QUIET_SECONDS = 4.0
"""Where nobody speaks a relay sends nothing at all: after this long it is asked whether it is there."""
_LOOK_SECONDS = 1.0


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:
        return time.time()


async def gone(received: Callable[[], Awaitable[int]], answers: Callable[[], Awaitable[bool]]) -> None:
    """Returns once a connection is of no use: a sleep was too long for it, or the other end does not even answer.

    `received` counts the packets that came so far; `answers` asks the other end, and waits as long as one may.
    """
    packets, quiet_since = -1, clock()
    while True:
        before = clock()
        await asyncio.sleep(_LOOK_SECONDS)
        count = await received()
        if count != packets:
            packets, quiet_since = count, clock()
        elif clock() - quiet_since > QUIET_SECONDS:
            if not await answers():
                return
            quiet_since = clock()
        if clock() - before > LONGEST_SECONDS:
            return
