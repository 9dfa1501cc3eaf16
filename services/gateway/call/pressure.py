"""Whether people wait at the door because the gateway itself has too much to do."""

import time
from collections.abc import Callable

MOST_KNOCKING = 8
"""As many connections as one turn of the loop accepts; more wait only while turns are long."""
BUSY_SHARE = 0.5
"""Of a core, by the thread of the loop. Below that turns are long because others have the machine, or services answer
slowly: to carry fewer calls on would help nobody then, and keep everybody out."""
_LOOK_SECONDS = 0.1


class Pressure:
    """What the system tells of its accept queue, and the thread of its own work. Ask it in the thread of the loop."""

    def __init__(
        self,
        knocking: Callable[[], int],
        worked: Callable[[], float] = time.thread_time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`knocking` tells how many connections wait to be accepted, `worked` the CPU seconds of the thread so far."""
        self._knocking = knocking
        self._worked = worked
        self._now = now
        self._since = self._work = 0.0
        self._is_busy = False

    def __call__(self) -> bool:
        """Whether fewer calls should be carried on."""
        self._look()
        return self._is_busy and self._knocking() > MOST_KNOCKING

    def _look(self) -> None:
        now = self._now()
        if now - self._since >= _LOOK_SECONDS:
            work = self._worked()
            self._is_busy = work - self._work >= BUSY_SHARE * (now - self._since)
            self._since, self._work = now, work
