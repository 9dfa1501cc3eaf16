"""Who left lines lately, as copies tell each other: a later owner of a room takes no ticket for a place given up."""

from collections import OrderedDict
from collections.abc import Sequence

from services.room_directory.domain.waiting import LONGEST_WAITED_MILLISECONDS, MOST_GONE

MOST_UNTOLD = 10_000
"""Beyond so many the oldest are not told: their tickets are believed for two minutes by who owns the room next."""

PlaceLeft = tuple[str, str]
"""A room, and who left the line before it."""


class LeftPlaces:
    """Those who left lines of this copy and were not told of yet, and those who left lines of others."""

    def __init__(self) -> None:
        self._untold: OrderedDict[PlaceLeft, None] = OrderedDict()
        self._elsewhere: OrderedDict[PlaceLeft, float] = OrderedDict()

    def left_here(self, room_id: str, user_id: str) -> None:
        """Somebody has no place any more before a room of this copy."""
        self._untold[room_id, user_id] = None
        if len(self._untold) > MOST_UNTOLD:
            self._untold.popitem(last=False)

    def take_untold(self) -> list[PlaceLeft]:
        """Those to tell other copies of."""
        untold = list(self._untold)
        self._untold.clear()
        return untold

    def left_elsewhere(self, places: Sequence[PlaceLeft], now: float) -> None:
        """Another copy tells, at monotonic seconds; each is remembered as long as a ticket could hold the place."""
        for place in places:
            self._elsewhere[place] = now
            self._elsewhere.move_to_end(place)
        oldest = now - LONGEST_WAITED_MILLISECONDS / 1000
        while len(self._elsewhere) > MOST_GONE or (self._elsewhere and next(iter(self._elsewhere.values())) < oldest):
            self._elsewhere.popitem(last=False)

    def of_room(self, room_id: str) -> dict[str, float]:
        """When people left the line before a room at other copies, the earliest first."""
        return {user_id: at for (room, user_id), at in self._elsewhere.items() if room == room_id}
