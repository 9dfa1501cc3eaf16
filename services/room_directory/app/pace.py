"""How often one person may change what everybody in a room is told of."""

from services.common.clock import Clock
from services.common.limits import TokenBuckets
from services.room_directory.domain.errors import RateLimited
from services.room_directory.domain.people import Actor

MOST_AT_ONCE = 20
_SECONDS_EACH = 0.5
"""So that twenty more are possible ten seconds later: more than anybody needs, and no flood of events."""


class Pace:
    """One measure for a person, in whichever rooms."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changes = TokenBuckets(MOST_AT_ONCE, 1 / _SECONDS_EACH)

    def keep(self, actor: Actor) -> None:
        """Counts one change of the person's. Raises RateLimited."""
        wait = self._changes.take(actor.user_id, self._clock.monotonic())
        if wait:
            raise RateLimited("this is changed less often", retry_after_seconds=wait)
