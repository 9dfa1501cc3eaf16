"""What a plan of rooms would take, and how much of it a fleet carries: by the model that admits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.programme.hearing import mixes
from services.programme.work import KEPT_BACK, NOTHING, Limits, Part, Tariff, Work

PACKET_BYTES = 60
"""Of a listener's packet beside its sound: IPv4, UDP, RTP with its extensions, and the seal."""
_ROOMS_SPLIT = 64
"""Rooms too big for one relay that are laid out one by one; more of them are not asked for in earnest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rooms that are all alike."""

    rooms: int
    listeners: int
    """In each room."""
    speakers: int = 1
    languages: int = 0
    """Beside the floor's: an interpreter and a channel each, and another where it may be spoken on the floor too."""
    packet_ms: int | None = None
    """Milliseconds of sound in a packet to listeners; None: as each relay has it."""

    @property
    def stage(self) -> int:
        """People who speak in each room."""
        return self.speakers + self.languages

    def part(self, *, home: bool, listeners: int) -> Part:
        """What a relay carries of one such room, with so many of its listeners."""
        stage, languages = self.stage if home else 0, mixes(self.languages, self.speakers)
        return Part(home=home, listeners=listeners, stage=stage, channels=1, languages=languages)


@dataclass(slots=True)
class Room:
    """How much a relay has left for newcomers."""

    work: Work
    limits: Limits
    tariff: Tariff
    share: float = 1.0
    """Of its limits, what newcomers may take."""

    def times(self, each: Work) -> int:
        """How often it carries that much more."""
        return self.limits.times(self.work, each, self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a plan takes."""

    work: Work
    megabits: float
    """A second, to listeners."""
    cores: float
    """For sound as talks usually go."""
    relays: int
    """Of the kind that was asked about, with nothing else on them; 0 if no number of them carries it."""
    rooms_carried: int
    """Rooms of the plan that the fleet carries beside what it carries now."""
    listeners_carried: int | None
    """Most listeners in each, at most the plan's, with which it carries all of them; None: not even empty ones."""


def forecast(plan: Plan, fleet: Sequence[Room], kind: Room) -> Forecast:
    """Lays a plan out over a fleet, and over as many empty relays of one kind as it takes."""
    kind = _of(plan, kind)
    tariff = kind.tariff
    work = tariff.room(plan.part(home=True, listeners=plan.listeners)) * plan.rooms
    packets = plan.rooms * plan.listeners * 1000 / tariff.packet_ms
    return Forecast(
        work=work,
        megabits=packets * (tariff.bits_per_second * tariff.packet_ms / 1000 + 8 * PACKET_BYTES) / 1e6,
        cores=work.usual * tariff.costs.packet / 1e6,
        relays=_relays(plan, replace(kind, work=NOTHING)),
        rooms_carried=_carried(plan, [_of(plan, each) for each in fleet]),
        listeners_carried=_listeners_carried(plan, [_of(plan, each) for each in fleet]),
    )


def rooms_on(plan: Plan, relay: Room) -> int:
    """How many whole rooms of the plan are let in on one relay.

    A room begins only where there is place for somebody to listen to it, also one that nobody is meant to listen to.
    """
    whole = relay.tariff.room(plan.part(home=True, listeners=plan.listeners))
    begun = relay.tariff.room(Part(home=True, listeners=1, stage=1, channels=1))
    if not relay.times(begun):
        return 0
    return min(relay.times(whole), 1 + replace(relay, work=relay.work + begun).times(whole))


def listeners_on(relay: Room) -> int:
    """How many listeners of one new room are let in on one relay."""
    return max(0, _listeners(Plan(rooms=1, listeners=0), relay, home=True))


def _listeners(plan: Plan, relay: Room, *, home: bool) -> int:
    """How many of a room's listeners come in where nothing of it is yet; -1 where not even its channels fit."""
    part = relay.tariff.room(plan.part(home=home, listeners=0))
    return replace(relay, work=relay.work + part).times(relay.tariff.listener()) if relay.times(part) else -1


def for_newcomers(share: float) -> float:
    """What newcomers may take of a relay of which so much may be given away."""
    return share * (1.0 - KEPT_BACK)


def _of(plan: Plan, room: Room) -> Room:
    packet_ms = plan.packet_ms or room.tariff.packet_ms
    return replace(room, tariff=replace(room.tariff, packet_ms=packet_ms))


def _relays(plan: Plan, empty: Room) -> int:
    whole = rooms_on(plan, empty)
    if whole:
        return -(-plan.rooms // whole)
    at_home, each = (_listeners(plan, empty, home=home) for home in (True, False))
    if at_home < 1 or each < 1:
        return 0
    return plan.rooms * (1 - (at_home - plan.listeners) // each)


def _carried(plan: Plan, fleet: Sequence[Room]) -> int:
    carried = 0
    for relay in fleet:
        whole = relay.tariff.room(plan.part(home=True, listeners=plan.listeners))
        fits = min(rooms_on(plan, relay), plan.rooms - carried)
        relay.work += whole * fits
        carried += fits
    for _ in range(min(_ROOMS_SPLIT, plan.rooms - carried)):
        if not _split(plan, fleet):
            break
        carried += 1
    return carried


def _listeners_carried(plan: Plan, fleet: Sequence[Room]) -> int | None:
    def carries(listeners: int) -> bool:
        asked = replace(plan, listeners=listeners)
        return _carried(asked, [replace(room) for room in fleet]) == plan.rooms

    if not carries(0):
        return None
    fits, too_many = 0, plan.listeners + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if carries(middle) else (fits, middle)
    return fits


def _split(plan: Plan, fleet: Sequence[Room]) -> bool:
    """Lays one room out over several relays: its home where the most of its listeners fit, the rest elsewhere."""
    at_home = [(_listeners(plan, relay, home=True), number) for number, relay in enumerate(fleet)]
    most, home = max(at_home, default=(-1, 0))
    if most < 1:
        # Where nobody could listen to it no room begins.
        return False
    taken = {home: min(most, plan.listeners)}
    left = plan.listeners - taken[home]
    others = sorted(
        ((_listeners(plan, relay, home=False), at) for at, relay in enumerate(fleet) if at != home), reverse=True
    )
    for fits, number in others:
        if left <= 0 or fits <= 0:
            break
        taken[number] = min(fits, left)
        left -= taken[number]
    if left > 0:
        return False
    for number, people in taken.items():
        relay = fleet[number]
        relay.work += relay.tariff.room(plan.part(home=number == home, listeners=people))
    return True
