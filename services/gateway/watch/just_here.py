"""Who watched a room until just now: a page that is loaded again, or lost its network, comes back without a stream."""

from collections import OrderedDict
from collections.abc import Callable

KEPT_SECONDS = 120.0
_MOST_KEPT = 20_000


class JustHere:
    """Remembers people by room, for a while and so many."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def note(self, room_id: str, user_id: str) -> None:
        """Somebody was here a moment ago."""
        now, key = self._now(), (room_id, user_id)
        self._until[key] = now + KEPT_SECONDS
        self._until.move_to_end(key)
        # Who did not come back leaves with the next who goes.
        while len(self._until) > _MOST_KEPT or next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

    def was(self, room_id: str, user_id: str) -> bool:
        """Whether they were here lately."""
        return self._until.get((room_id, user_id), 0.0) > self._now()
