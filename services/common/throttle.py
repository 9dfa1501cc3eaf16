"""Keeps log lines that may come once per packet or per failed client from filling a disk."""

import time
from collections.abc import Callable


class Throttle:
    """Lets one line through in so many seconds and counts the others."""

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: float | None = None
        self._left_out = 0

    def passes(self) -> int | None:
        """How many lines were left out before this one, which may be written; None when it may not."""
        now = self._clock()
        if self._last is not None and now - self._last < self._seconds:
            self._left_out += 1
            return None
        self._last = now
        left_out, self._left_out = self._left_out, 0
        return left_out
