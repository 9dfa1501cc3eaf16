"""Booths from which nothing is heard although somebody speaks on the floor: interpreters may not know of it."""

from collections.abc import Collection, Mapping

AFTER_SECONDS = 10.0
PAUSE_SECONDS = 3.0
"""A floor that was silent for longer than between two sentences starts the time anew."""


class Silences:
    """Since when each booth of each stage here is silent beside a floor that speaks; times are monotonic seconds."""

    def __init__(self) -> None:
        self._since: dict[str, dict[str, float]] = {}
        self._floor: dict[str, float] = {}
        """When somebody spoke last on the floor, by room."""

    def look(self, room_id: str, leading: Mapping[str, int], spoken: Mapping[int, str], now: float) -> None:
        """Takes in who interprets in each booth, and the booth in which each who speaks now does so."""
        heard = set(spoken.items())
        if "" in spoken.values():
            self._floor[room_id] = now
        goes_on = now - self._floor.get(room_id, -PAUSE_SECONDS) < PAUSE_SECONDS
        before = self._since.get(room_id, {})
        self._since[room_id] = {
            booth: before.get(booth, now)
            for booth, member in leading.items()
            if goes_on and member and (member, booth) not in heard
        }

    def of(self, room_id: str, now: float) -> dict[str, float]:
        """The booths that are silent for long, and since when."""
        since = self._since.get(room_id, {})
        return {booth: at for booth, at in since.items() if now - at >= AFTER_SECONDS}

    def keep(self, rooms: Collection[str]) -> None:
        """Forgets all other rooms."""
        for known in (self._since, self._floor):
            for room_id in known.keys() - set(rooms):
                del known[room_id]
