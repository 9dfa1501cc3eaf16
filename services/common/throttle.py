"""Keeps log lines that may come once per packet or per failed client from filling a disk."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


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


class Throttles:
    """One throttle for each kind of line; the kinds least recently met are forgotten beyond `most`."""

    def __init__(
        self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic, *, most: int = 1_000
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._throttles: OrderedDict[Hashable, Throttle] = OrderedDict()

    def passes(self, kind: Hashable) -> int | None:
        """As `Throttle.passes`, for lines of one kind."""
        throttle = self._throttles.get(kind)
        if throttle is None:
            throttle = self._throttles[kind] = Throttle(self._seconds, self._clock)
            if len(self._throttles) > self._most:
                self._throttles.popitem(last=False)
        else:
            self._throttles.move_to_end(kind)
        return throttle.passes()
