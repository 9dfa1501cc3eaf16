"""What the model of a fleet is made of: what happens, what a relay truly carries, what was seen."""

import math
from dataclasses import dataclass, field

from services.media_relay.domain.ladder import Ladder, Shape
from services.programme.work import KEPT_BACK, NOTHING, WAITING_STEP, Limits, Part, Tariff, Work

TARIFF = Tariff()
STEPS = Shape(20, TARIFF.bits_per_second).steps()
FLOOR = "floor"


class FleetTooSmall(Exception):
    """The fleet cannot even carry the stages of its rooms; the message says how many it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens; the same seed gives the same evening."""

    seed: int = 1
    relays: int = 100
    arrivals: int = 500_000
    rooms: int = 400
    copies: int = 2
    """Of the directory: each knows what it promised itself, and what relays say."""
    regions: int = 2
    hall_share: float = 0.75
    """Of arrivals: they want to hear the same room."""
    arriving_seconds: float = 1200.0
    stay_seconds: float = 2400.0
    budget: int | None = None
    """Packets a second of each relay; None: by a machine of two cores."""
    new_share: float = 0.3
    """Of arrivals: they redeem an invitation, and so come through the doors."""
    lost_reports: float = 0.05
    silences: int = 20
    """How often a relay that serves on is not heard for 3 to 15 s."""
    deaths: int = 10
    troubles: int = 10
    """How often a relay lacks processor time for half a minute or two, and climbs its ladder."""
    most_seconds: float = 10_000.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a relay's heartbeat says."""

    boot: int
    work: Work
    carried: frozenset[tuple[str, str]]
    serial: int
    people: int
    step: int


@dataclass(slots=True)
class Relay:
    """What a relay truly carries."""

    relay_id: str
    region: str
    limits: Limits
    boot: int = 0
    since: float = -1000.0
    """When it began to serve as it does: at its start, or back at the foot of its ladder."""
    serial: int = 0
    alive: bool = True
    silent_until: float = 0.0
    troubled_until: float = 0.0
    people: dict[str, int] = field(default_factory=dict)
    """Who hears which room here."""
    rooms: dict[int, int] = field(default_factory=dict)
    homes: set[int] = field(default_factory=set)
    work: Work = NOTHING
    ladder: Ladder = field(default_factory=lambda: Ladder(STEPS))

    def said(self) -> Said:
        """Its heartbeat; on the last step it says that newcomers find no seat."""
        closed = math.ceil(self.limits.usual * (1 - KEPT_BACK)) if self.ladder.step >= WAITING_STEP else 0
        work = Work(max(self.work.usual, closed), self.work.sending, self.work.programme)
        carried = frozenset((str(room), FLOOR) for room in self.rooms.keys() | self.homes)
        return Said(self.boot, work, carried, self.serial, len(self.people), self.ladder.step)

    def climb(self, now: float) -> bool:
        """Once a second: a step up in trouble, down in calm; says whether it moved.

        Longer packets spare those inside and let nobody in, so that only the last step changes what newcomers find.
        """
        pressed = now < self.troubled_until
        if not self.ladder.note(now, pressed=pressed, calm=not pressed):
            return False
        if not self.ladder.step:
            self.since = now
        return True

    @property
    def fullness(self) -> float:
        """Share of what it can that it truly does."""
        return self.limits.fullness(self.work)

    def work_of(self, room: int) -> int:
        """What the listeners of a room usually cost here."""
        return self.rooms.get(room, 0) * TARIFF.listener().usual

    def takes_home(self) -> bool:
        """Whether it would open a stage."""
        return self.limits.allow(self.work + TARIFF.room(Part(home=True, stage=1, channels=1)), 1.0)

    def takes(self, room: int, share: float) -> bool:
        """Whether it would open one more session, as the last judge of what it can."""
        now_there = self.rooms.get(room) or room in self.homes
        more = TARIFF.listener() + (NOTHING if now_there else TARIFF.channel(home=False))
        return self.limits.allow(self.said().work + more, share)

    def change(self, room: int, by: int) -> None:
        """So many more listeners of a room."""
        before = self._part(room)
        count = self.rooms.get(room, 0) + by
        self.rooms[room] = count
        if not count:
            del self.rooms[room]
        self.work = self.work - before + self._part(room) + TARIFF.listener() * by

    def give_home(self, room: int) -> None:
        """The room's stage is here from now on."""
        before = self._part(room)
        self.homes.add(room)
        self.work = self.work - before + self._part(room)

    def _part(self, room: int) -> Work:
        """What one room costs here, but for its listeners."""
        home = room in self.homes
        if not home and not self.rooms.get(room):
            return NOTHING
        return TARIFF.room(Part(home=home, stage=int(home), channels=1))


@dataclass(slots=True)
class Outcome:
    """What was seen."""

    entered: int = 0
    came_back: int = 0
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
    far: int = 0
    """People who hear through a relay of another region."""
    lost_people: int = 0
    most_share: float = 0.0
    """Of what the fleet can do, that the listeners of the hall took."""
    steps: int = 0
    """Steps of ladders, up and down."""
    ended_at: float = 0.0
    worst_ratio: float = 0.0
    """Greatest load over the mean of a region, while that carries at least a quarter of what it may."""
    samples: list[tuple[float, float, float, int]] = field(default_factory=list)
    """Each ten seconds: time, mean and greatest load, people waiting."""
