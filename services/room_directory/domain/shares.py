"""How much of a fleet one room may take while others have rooms there too."""

import math
from collections.abc import Collection

from services.programme.work import NOTHING
from services.room_directory.domain.placement import RelayLoadState

ROOM_SHARE = 0.6
"""Share of what a fleet may give away that newcomers of one room may take."""
FRESH_SECONDS = 0.5
"""So long a look at the whole fleet counts: reports come once a second."""


class Shares:
    """The fleet as a whole, looked at now and then: one look at each relay for each newcomer would cost too much."""

    def __init__(self, share: float) -> None:
        """`share` is how much of its budget a relay may give away."""
        self._share = ROOM_SHARE * share
        self._until = -math.inf
        self._seats: float = math.inf
        self._rooms: set[str] = set()

    def most(self, relays: Collection[RelayLoadState], room_id: str, now: float) -> float:
        """So many may listen in one room; infinite while no other has anybody, or no relay has measured itself."""
        if now >= self._until:
            self._look(relays, now)
        return self._seats if self._rooms - {room_id} else math.inf

    def _look(self, relays: Collection[RelayLoadState], now: float) -> None:
        self._until = now + FRESH_SECONDS
        serving = [relay for relay in relays if relay.accepts(now)]
        self._rooms = {room_id for relay in serving for room_id, _ in relay.carried}
        known = [relay for relay in serving if relay.limits.usual]
        times = (relay.limits.times(NOTHING, relay.tariff.listener(), self._share) for relay in known)
        self._seats = sum(times) if known and len(known) == len(serving) else math.inf
