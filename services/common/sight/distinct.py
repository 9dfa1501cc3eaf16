"""Counts people rather than tries, so that one who tries again and again is one."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Distinct:
    """Tells who comes for the first time within a while. Keeps the last `most`; who is forgotten comes anew."""

    def __init__(
        self, seconds: float = 3600.0, *, most: int = 20_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._since: OrderedDict[Hashable, float] = OrderedDict()

    def first(self, key: Hashable) -> bool:
        """Whether this one has not come within the last so many seconds."""
        now = self._clock()
        while self._since and (
            len(self._since) > self._most or next(iter(self._since.values())) <= now - self._seconds
        ):
            self._since.popitem(last=False)
        if key in self._since:
            return False
        self._since[key] = now
        return True
