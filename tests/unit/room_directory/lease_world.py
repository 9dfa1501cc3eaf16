"""Copies of the directory, relays, a database and a network between them that fails in every way, in virtual time."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from services.media_relay.domain.errors import SeatStale, WrongRelay
from services.media_relay.domain.permits import Kind, Permit
from services.media_relay.domain.rooms import RoomBook, RoomPart
from services.programme.channels import FLOOR
from services.room_directory.domain.leases import LEASE_SECONDS, RENEW_SECONDS, Answer, Holdings, Lease

ROOMS = ("room000000", "room000001")
RELAYS = ("relay00000", "relay00001", "relay00002")
LOST_SECONDS = 3.0
DRIFT = 0.02
"""How much faster or slower than the database's a copy's clock may run."""


@dataclass(slots=True)
class Row:
    """A room as the database has it, with its lease."""

    owner: str = ""
    term: int = 0
    lapses_at: float = 0.0
    home: str = RELAYS[0]
    version: int = 0
    written_by: list[tuple[int, str]] = field(default_factory=list)
    """(term, copy) of each write, in order."""


class Table:
    """What the statements of `SqlLeases` and of rooms do, at one moment each."""

    def __init__(self) -> None:
        self.rows = {room_id: Row() for room_id in ROOMS}

    def round(self, copy_id: str, now: float) -> Answer:
        """Renews, takes what has lapsed."""
        for row in self.rows.values():
            if row.owner == copy_id:
                row.lapses_at = now + LEASE_SECONDS
            elif row.lapses_at <= now:
                row.owner, row.term, row.lapses_at = copy_id, row.term + 1, now + LEASE_SECONDS
        mine = {room_id: row.term for room_id, row in self.rows.items() if row.owner == copy_id}
        others = tuple(
            Lease(room_id, row.owner, row.owner, row.term, row.lapses_at <= now)
            for room_id, row in self.rows.items()
            if row.owner != copy_id
        )
        return Answer(mine, others)

    def save_home(self, room_id: str, term: int, version: int, home: str, copy_id: str) -> bool:
        """A fenced write: nothing under an older term, nor at another version."""
        row = self.rows[room_id]
        if (row.term, row.version) != (term, version):
            return False
        row.home, row.version = home, version + 1
        row.written_by.append((term, copy_id))
        return True


@dataclass(slots=True)
class Held:
    """A room in a copy's memory."""

    term: int
    version: int
    home: str
    moving: bool = False


class Copy:
    """One copy: the real holdings, and the rules by which `Ownership`, `LiveRooms` and `Fleet` use them."""

    def __init__(self, world: "World", copy_id: str, rate: float) -> None:
        self.world, self.copy_id, self.rate = world, copy_id, rate
        self.holdings = Holdings()
        self.rooms: dict[str, Held] = {}
        self.heard = dict.fromkeys(RELAYS, 0.0)
        self.asleep_until = 0.0
        self._asking = False

    def now(self) -> float:
        """Its own monotonic clock."""
        return self.world.now * self.rate

    def may_decide(self, room_id: str) -> bool:
        return room_id in self.rooms and self.holdings.may_decide(room_id, self.now())

    def tick(self) -> None:
        """One round of leases, and a look at the relays."""
        if not self._asking:
            self._asking = True
            asked_at = self.now()
            self.world.ask_database(self, lambda now: self.world.table.round(self.copy_id, now), asked_at)
        for room_id in list(self.rooms):
            self._look_after(room_id)

    def answered(self, answer: Answer, asked_at: float) -> None:
        self._asking = False
        lost, new = self.holdings.answered(answer, asked_at)
        for room_id in lost:
            self.rooms.pop(room_id, None)
        for room_id, term in new.items():
            self.rooms.pop(room_id, None)
            self.holdings.granted(room_id, term, asked_at, self.now())
            self.world.load(self, room_id, term)

    def failed(self, asked_at: float) -> None:
        self._asking = False
        self.holdings.failed(asked_at, self.now())

    def loaded(self, room_id: str, term: int, row: Row | None) -> None:
        """Rows of a room it owns; of a newer term another copy has it by now, and without any it tries again."""
        if row is None or row.term != term:
            self.holdings.let_go([room_id])
            return
        self.rooms[room_id] = Held(term, row.version, row.home)
        self._tell(room_id)

    def saved(self, room_id: str, term: int, home: str, written: bool | None) -> None:
        held = self.rooms.get(room_id)
        if held is None or held.term != term:
            return
        held.moving = False
        if written:
            held.home, held.version = home, held.version + 1
            self._tell(room_id)
        else:
            # Not, or nobody knows: rows say how it stands.
            del self.rooms[room_id]
            self.world.load(self, room_id, term)

    def _look_after(self, room_id: str) -> None:
        held, now = self.rooms[room_id], self.now()
        fresh = [relay for relay in RELAYS if now - self.heard[relay] < LOST_SECONDS]
        if held.moving or held.home in fresh or not fresh or not self.holdings.may_decide(room_id, now):
            return
        held.moving = True
        home, term, version = self.world.random.choice(fresh), held.term, held.version
        self.world.save(self, room_id, term, version, home)

    def _tell(self, room_id: str) -> None:
        held = self.rooms[room_id]
        for relay in RELAYS:
            self.world.order(self, relay, RoomPart(room_id, held.term, held.home, frozenset((FLOOR,))))

    def permit(self, room_id: str) -> Permit | None:
        """What it would sign now for somebody on stage."""
        if not self.may_decide(room_id) or self.asleep_until > self.world.now:
            return None
        held = self.rooms[room_id]
        return permit_of(room_id, held.term, held.home)


def permit_of(room_id: str, term: int, home: str) -> Permit:
    """A permit for the stage of a room, at its home."""
    return Permit(
        permit_id="permit0000", room_id=room_id, term=term, user_id="user000000", epoch=1, kind=Kind.STAGE,
        role="speaker", member=1, muted=False, channel=FLOOR, booth="", relay_id=home, boot_id="boot000000",
        home_relay_id=home,
    )  # fmt: skip


class World:
    """One schedule: everything that happens, by a seed."""

    def __init__(self, seed: int, copies: int = 2) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.table = Table()
        rates = (1 + self.random.uniform(-DRIFT, DRIFT) for _ in range(copies))
        self.copies = [Copy(self, f"copy{number:06}", rate) for number, rate in enumerate(rates)]
        self.relays = {relay: RoomBook(relay) for relay in RELAYS}
        self.cut: set[tuple[str, str]] = set()
        """Pairs that hear nothing of each other."""
        self.dead: set[str] = set()
        self.loss = 0.0
        self.calm = False
        self.watched = seed % 10 == 0
        """Whether permits are tried at every relay after each thing: costly, and follows from who decides."""

    # Time.

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), what))

    def run(self, until: float) -> None:
        """Lets everything happen up to a moment, and checks after each thing."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
            self.check()
        self.now = until

    def awake(self, copy: Copy, what: Callable[[], None]) -> None:
        """What comes to a copy that sleeps waits for it, and happens when it wakes, as sockets and timers do."""
        if copy.asleep_until > self.now:
            self.at(copy.asleep_until - self.now + self.random.uniform(0, 0.01), lambda: self.awake(copy, what))
        else:
            what()

    def _reaches(self, one: str, other: str) -> bool:
        return (one, other) not in self.cut and self.random.random() >= self.loss

    def _delay(self) -> float:
        slow = 0.05 if self.calm else self.random.uniform(0, 1.5)
        return self.random.choice((0.002, 0.01, 0.05, slow))

    # Who asks whom.

    def ask_database(self, copy: Copy, statement: Callable[[float], Answer], asked_at: float) -> None:
        """One statement: it may not arrive, or be done with nobody told."""
        there, back, answers = self._delay(), self._delay(), []

        def done() -> None:
            answers.append(statement(self.now))
            if self._reaches("database", copy.copy_id):
                self.at(back, lambda: self.awake(copy, lambda: settle(answers[0])))

        def settle(answer: Answer | None) -> None:
            if settled:
                return
            settled.append(True)
            copy.failed(asked_at) if answer is None else copy.answered(answer, asked_at)

        settled: list[bool] = []
        if self._reaches(copy.copy_id, "database"):
            self.at(there, done)
        self.at(RENEW_SECONDS, lambda: self.awake(copy, lambda: settle(None)))

    def load(self, copy: Copy, room_id: str, term: int) -> None:
        reaches = self._reaches(copy.copy_id, "database")

        def read() -> None:
            row = self.table.rows[room_id]
            found = Row(term=row.term, version=row.version, home=row.home) if reaches else None
            self.at(self._delay(), lambda: self.awake(copy, lambda: copy.loaded(room_id, term, found)))

        self.at(self._delay(), read)

    def save(self, copy: Copy, room_id: str, term: int, version: int, home: str) -> None:
        reaches, hears = self._reaches(copy.copy_id, "database"), self._reaches("database", copy.copy_id)

        def write() -> None:
            written = self.table.save_home(room_id, term, version, home, copy.copy_id) if reaches else None
            told = written if hears else None
            self.at(self._delay(), lambda: self.awake(copy, lambda: copy.saved(room_id, term, home, told)))

        self.at(self._delay(), write)

    def order(self, copy: Copy, relay: str, part: RoomPart, tries: int = 60) -> None:
        """An order to a relay: repeated until it arrives or a newer one takes its place."""

        def arrive() -> None:
            held = copy.rooms.get(part.room_id)
            if held is None or (held.term, held.home) != (part.term, part.home_relay_id):
                return
            if relay not in self.dead and self._reaches(copy.copy_id, relay):
                before = self.relays[relay].get(part.room_id)
                self.relays[relay].configure(part, self.now)
                after = self.relays[relay].get(part.room_id)
                assert before is None or after is None or before.term <= after.term, "a relay followed an older owner"
            elif tries:
                self.at(0.3, lambda: self.awake(copy, lambda: self.order(copy, relay, part, tries - 1)))

        self.at(self._delay(), lambda: self.awake(copy, arrive))

    def beat(self, relay: str) -> None:
        """A relay's heartbeat to every copy."""
        if relay not in self.dead:
            for copy in self.copies:
                if self._reaches(relay, copy.copy_id):
                    self.at(self._delay(), partial(self.awake, copy, partial(self._heard, copy, relay)))
        self.at(1.0, lambda: self.beat(relay))

    @staticmethod
    def _heard(copy: Copy, relay: str) -> None:
        copy.heard[relay] = copy.now()

    # What is checked.

    def homes(self, room_id: str) -> set[str]:
        """Relays that would open a stage for somebody with a permit signed at this moment by whoever may decide."""
        homes = set()
        for copy in self.copies:
            permit = copy.permit(room_id)
            if permit is None:
                continue
            try:
                self.relays[permit.relay_id].check(permit)
            except (SeatStale, WrongRelay):
                continue
            homes.add(permit.relay_id)
        return homes

    def check(self) -> None:
        """Holds at every moment."""
        for room_id in ROOMS:
            deciding = [copy for copy in self.copies if copy.may_decide(room_id)]
            assert len(deciding) <= 1, f"{len(deciding)} copies decide about {room_id} at {self.now}"
            if self.watched:
                assert len(self.homes(room_id)) <= 1, f"two homes of {room_id} at {self.now}"
