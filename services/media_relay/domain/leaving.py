"""How a relay that stops lets its people go: who else could take them, and how many may still stay at a moment."""

import math
from dataclasses import dataclass, field

HEARD_SECONDS = 30.0
"""How long a relay that was heard counts as one that could take people: longer than a bus needs to come back."""
MOST_OTHERS = 256
"""Of those that were heard last: one of them is enough to go to."""
ASKING_SHARE = 0.5
"""Share of the time in which people are asked to move; in the rest, who did not is let go bit by bit."""


@dataclass(slots=True)
class OtherRelays:
    """The relays of the fleet that could take people; times are monotonic seconds."""

    _heard: dict[str, float] = field(default_factory=dict)

    def note(self, relay_id: str, draining: bool, now: float) -> None:
        """Another relay reported itself."""
        self._heard.pop(relay_id, None)
        if not draining:
            self._heard[relay_id] = now
            if len(self._heard) > MOST_OTHERS:
                del self._heard[next(iter(self._heard))]

    def could_take(self, now: float) -> bool:
        """Whether there is anywhere to go."""
        return any(now - at <= HEARD_SECONDS for at in self._heard.values())


@dataclass(slots=True)
class Leaving:
    """One stop of a relay: when it was told to, and the seconds its sessions have to move away."""

    began: float
    seconds: float
    _stragglers: int | None = None
    """Sessions that were still here when the asking was over."""

    @property
    def asking_ends(self) -> float:
        """Until when people are only asked."""
        return self.began + self.seconds * ASKING_SHARE

    @property
    def ends(self) -> float:
        """When nobody may stay any longer."""
        return self.began + self.seconds

    def move_within_milliseconds(self, now: float) -> int:
        """How long the asking still lasts: whoever is asked now picks a random moment within it."""
        return max(0, int((self.asking_ends - now) * 1000))

    def may_stay(self, sessions: int, now: float) -> int:
        """How many of the sessions here may stay: all while they are asked, then evenly fewer, none at the end.

        So players that hear no events come back elsewhere a few at a time too.
        """
        if now < self.asking_ends:
            return sessions
        if self._stragglers is None:
            self._stragglers = sessions
        if now >= self.ends:
            return 0
        return min(sessions, math.ceil(self._stragglers * (self.ends - now) / (self.ends - self.asking_ends)))
