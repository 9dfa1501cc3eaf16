"""What the model of a fleet is made of: what happens, what a relay truly carries, what was seen."""

from dataclasses import dataclass, field

from services.programme.work import NOTHING, Limits, Part, Tariff, Work
from services.room_directory.domain.placement import RelayLoadState

TARIFF = Tariff()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens; the same seed gives the same evening."""

    seed: int = 1
    relays: int = 100
    arrivals: int = 500_000
    rooms: int = 400
    arriving_seconds: float = 1200.0
    stay_seconds: float = 900.0
    budget: int | None = None
    """Packets a second of each relay; None: by a machine of two cores."""
    new_share: float = 0.3
    """Of arrivals: they redeem an invitation, and so come through the doors."""
    lost_reports: float = 0.05
    silences: int = 20
    """How often a relay that serves on is not heard for 3 to 15 s."""
    deaths: int = 10
    most_seconds: float = 20_000.0


@dataclass(slots=True)
class Relay:
    """What a relay truly carries."""

    state: RelayLoadState
    limits: Limits
    boot: int = 0
    serial: int = 0
    alive: bool = True
    silent_until: float = 0.0
    people: dict[str, int] = field(default_factory=dict)
    """Who hears which room here."""
    rooms: dict[int, int] = field(default_factory=dict)
    homes: set[int] = field(default_factory=set)
    work: Work = NOTHING
    since: float = -1000.0
    """When it began to serve."""

    def part(self, room: int) -> Work:
        """What one room costs here, but for its listeners."""
        home = room in self.homes
        if not home and not self.rooms.get(room):
            return Work()
        return TARIFF.room(Part(home=home, stage=int(home), channels=1))

    def change(self, room: int, by: int) -> None:
        """So many more listeners of a room."""
        before = self.part(room)
        count = self.rooms.get(room, 0) + by
        self.rooms[room] = count
        if not count:
            del self.rooms[room]
        self.work = self.work - before + self.part(room) + TARIFF.listener() * by

    def give_home(self, room: int) -> None:
        """The room's stage is here from now on."""
        before = self.part(room)
        self.homes.add(room)
        self.work = self.work - before + self.part(room)


@dataclass(slots=True)
class Outcome:
    """What was seen."""

    entered: int = 0
    came_back: int = 0
    told_to_wait: int = 0
    refused_with_room: int = 0
    """Told that there is no seat while a relay that was heard had room."""
    refused_by_relay: int = 0
    gave_up: int = 0
    still_waiting: int = 0
    longest_wait: float = 0.0
    longest_return: float = 0.0
    inversions: int = 0
    from_line: int = 0
    above_headroom: int = 0
    """Newcomers that the doors let in beyond the free seats of that moment."""
    overloaded: int = 0
    """Moments at which a relay carried more than it may promise."""
    lost_people: int = 0
    ended_at: float = 0.0
    worst_ratio: float = 0.0
    """Greatest load over the mean, while the fleet carries at least a quarter of what it may."""
    samples: list[tuple[float, float, float, int, float]] = field(default_factory=list)
    """Each ten seconds: time, mean and greatest load, people waiting, their ratio."""
