"""How late the loop that decides gets to its work: what moves sound has threads of its own, and does not feel it."""

from services.common.clock import Clock

TICK_SECONDS = 0.2


class LoopLag:
    """Knows when it should have been called."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = clock.monotonic() + TICK_SECONDS
        self._most = 0.0
        self.seconds = 0.0
        """The most of the last second that was looked at."""

    async def tick(self) -> None:
        """Call it each TICK_SECONDS."""
        now = self._clock.monotonic()
        self._most = max(self._most, now - self._due)
        self._due = now + TICK_SECONDS

    def take(self) -> float:
        """The most since this was called last, seconds; what is late by now counts."""
        self.seconds = max(0.0, self._most, self._clock.monotonic() - self._due)
        self._most = 0.0
        return self.seconds
