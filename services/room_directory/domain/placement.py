"""Which relay serves whom: the least loaded one that is fresh, not draining and not full."""

from collections.abc import Iterable
from dataclasses import dataclass, field

AUDIENCE_PACKETS = 50
"""Packets a second of one listener, at frames of 20 ms."""
STAGE_PACKETS = 200
"""Packets a second to one person on stage: four slots."""
STALE_SECONDS = 2.0
"""A load older than this says nothing."""
RESERVED_SECONDS = 10.0
"""Life of a reservation that nobody confirms."""
CONFIRMED_SECONDS = 2.0
"""How long a confirmed one still counts: until the relay's own report shows it."""
STAGE_SHARE = 0.1
"""Share of the budget that only the stage may use."""


@dataclass(slots=True)
class RelayLoadState:
    """What is known of one relay's load, and what was promised of it since."""

    relay_id: str
    boot_id: str
    grpc_address: str
    packets_per_second: int = 0
    budget: int = 0
    """Packets it may send a second; 0 while it has not measured itself yet."""
    sessions: int = 0
    draining: bool = False
    rooms: frozenset[str] = frozenset()
    listeners: dict[str, int] = field(default_factory=dict)
    seen_at: float = float("-inf")
    """Monotonic seconds of the last report."""
    reserved: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """By room and person: until when, and how many packets a second."""

    def is_fresh(self, now: float) -> bool:
        """Whether the last report is recent enough to go by."""
        return now - self.seen_at <= STALE_SECONDS

    def accepts(self, now: float) -> bool:
        """Whether new sessions may go there at all."""
        return self.is_fresh(now) and not self.draining

    def committed(self, now: float) -> int:
        """Packets a second in use or promised; a silent room is counted as if somebody spoke."""
        self.reserved = {key: held for key, held in self.reserved.items() if held[0] > now}
        in_use = max(self.packets_per_second, self.sessions * AUDIENCE_PACKETS)
        return in_use + sum(packets for _, packets in self.reserved.values())

    def fullness(self, now: float) -> float:
        """Share of the budget that is committed."""
        return self.committed(now) / self.budget if self.budget else 0.0

    def has_room(self, packets: int, share: float, now: float) -> bool:
        """Whether `packets` more a second stay within `share` of the budget."""
        return not self.budget or self.committed(now) + packets <= self.budget * share

    def reserve(self, room_id: str, user_id: str, packets: int, now: float) -> None:
        """Holds capacity for a permit; a later permit of the same seat replaces it."""
        self.reserved[room_id, user_id] = (now + RESERVED_SECONDS, packets)

    def confirm(self, room_id: str, user_id: str, now: float) -> None:
        """Lets a reservation run out soon: its session is connected and shows in the reports."""
        held = self.reserved.get((room_id, user_id))
        if held is not None:
            self.reserved[room_id, user_id] = (min(held[0], now + CONFIRMED_SECONDS), held[1])


def choose_audience_relay(
    relays: Iterable[RelayLoadState], in_room: frozenset[str], share: float, now: float
) -> RelayLoadState | None:
    """The relay for one more listener: one already in the room if it can take them, else the least loaded.

    `share` is how much of its budget a relay may give away.
    """
    limit = share * (1.0 - STAGE_SHARE)
    able = [relay for relay in relays if relay.accepts(now) and relay.has_room(AUDIENCE_PACKETS, limit, now)]
    return min(
        able, key=lambda relay: (relay.relay_id not in in_room, relay.fullness(now), relay.relay_id), default=None
    )


def choose_home_relay(relays: Iterable[RelayLoadState], share: float, now: float) -> RelayLoadState | None:
    """The relay for a new stage: the least loaded."""
    able = [relay for relay in relays if relay.accepts(now) and relay.has_room(STAGE_PACKETS, share, now)]
    return min(able, key=lambda relay: (relay.fullness(now), relay.relay_id), default=None)
