"""Notices that this program, or the whole machine, slept: what a server keeps by regular signs of life is gone then."""

import asyncio
import time

LONGEST_SECONDS = 20.0
"""Less than the thirty seconds for which a relay keeps a connection without a sign of life (RFC 7675 §5.1)."""
_LOOK_SECONDS = 1.0


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:
        return time.time()


async def slept() -> None:
    """Returns once a sleep is over that was too long to go on as before."""
    while True:
        before = clock()
        await asyncio.sleep(_LOOK_SECONDS)
        if clock() - before > LONGEST_SECONDS:
            return
