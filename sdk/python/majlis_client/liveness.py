"""Notices that a connection is gone long before ICE does: nothing comes, or this program or the whole machine slept."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LONGEST_SECONDS = 20.0
"""Less than the thirty seconds for which a relay keeps a connection without a sign of life (RFC 7675 §5.1)."""
SILENT_SECONDS = 12.0
"""Relays report every five seconds at least, also to who hears nothing: this long nobody is there."""
_LOOK_SECONDS = 1.0


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:
        return time.time()


async def gone(received: Callable[[], Awaitable[int]]) -> None:
    """Returns once a connection is of no use: a sleep was too long for it, or nothing came for too long.

    `received` counts the packets that came so far.
    """
    packets, silent_since = -1, clock()
    while True:
        before = clock()
        await asyncio.sleep(_LOOK_SECONDS)
        now, count = clock(), await received()
        if count != packets:
            packets, silent_since = count, now
        if now - before > LONGEST_SECONDS or now - silent_since > SILENT_SECONDS:
            return
