"""The line before a room that has no seat: who is next, how long it takes, and what keeps a place."""

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import inf

from services.room_directory.domain.errors import TicketElsewhere
from services.room_directory.domain.seats import LineOrder

KEPT_SECONDS = 120.0
"""How long a place is kept for somebody who gives no sign of life."""
SETTLE_SECONDS = 8.0
"""How long a new owner lets those who wait show their tickets first: twice what those at the head take to."""
OFFER_SECONDS = 15.0
"""How long a seat is held for whoever is next."""
MOST_LAPSES = 3
"""Offers that somebody lets lapse before their place is gone: each has kept a seat empty."""
LONGEST_WAITED_MILLISECONDS = 600_000
"""Who has been coming for longer before they had a place counts as having come then: as long as a ticket lives."""
MOST_GONE = 20_000
"""People of whom a line remembers that they left it."""
LOT_MILLISECONDS = 300_000
"""Who comes within the same stretch of so long draws lots with each other; the stretches keep their order."""
PACE_SECONDS = 300.0
"""How far back the pace is measured."""
NEAR = 200
"""So many at the head of a line hear of each move; the others' moves can wait."""
_NEAR_KNOCK_SECONDS = 5.0
"""Also after one knock that got lost, an offer is heard of before it lapses."""
_GRAIN_SECONDS = 10.0
_SOONEST_KNOCK_SECONDS = 3.0
_LATEST_KNOCK_SECONDS = 50.0
"""A place outlives two knocks that got lost."""
_KNOCK_SECONDS_A_PLACE = 0.05

_Rank = tuple[bool, int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a ticket says: enough to build the line anew."""

    user_id: str
    room_id: str
    line_id: str
    arrived_at: int
    """Milliseconds since the epoch."""
    lot: int
    turn: int
    first: bool
    age: float = 0.0
    """Seconds since it was issued."""


class Waiter:
    """One person in a line; kept small, since there may be tens of thousands."""

    __slots__ = ("arrived_at", "first", "is_away", "lapses", "lot", "offered_until", "seen_at", "turn", "user_id")

    def __init__(self, user_id: str, arrived_at: int, lot: int, *, first: bool, seen_at: float, turn: int = 1) -> None:
        self.user_id = user_id
        self.arrived_at = arrived_at
        self.lot = lot
        self.first = first
        """Whether they go before newcomers: asked by name, or back from the room."""
        self.turn = turn
        """How often the place went to another device, and one."""
        self.seen_at = seen_at
        self.lapses = 0
        self.is_away = False
        """Whether an offer lapsed and they were not seen since: the next ones are asked meanwhile."""
        self.offered_until = 0.0
        """Until when a seat is held; 0 while none is."""


class Pace:
    """How many came in lately, in grains of ten seconds: a few numbers however long the line."""

    def __init__(self) -> None:
        self._grains: deque[tuple[int, int]] = deque()
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """Somebody begins to wait: what was before, when nobody did, says nothing of this line."""
        self._grains.clear()
        self._since = now

    def note(self, now: float) -> None:
        """Somebody came in from the line."""
        grain = int(now // _GRAIN_SECONDS)
        count = self._grains.pop()[1] if self._grains and self._grains[-1][0] == grain else 0
        self._grains.append((grain, count + 1))
        self._forget(now)

    def a_second(self, now: float) -> float:
        """People a second; 0 while nobody came in."""
        self._forget(now)
        if self._since is None:
            return 0.0
        # Over less than one grain a single one would promise too much.
        span = max(_GRAIN_SECONDS, min(PACE_SECONDS, now - self._since))
        return sum(count for _, count in self._grains) / span

    def _forget(self, now: float) -> None:
        oldest = int((now - PACE_SECONDS) // _GRAIN_SECONDS)
        while self._grains and self._grains[0][0] <= oldest:
            self._grains.popleft()


class Line:
    """Those who wait before one room. Times are monotonic seconds.

    A line lives in the memory of the room's owner. What a later owner needs to build it anew is on the tickets that
    people show: it believes those of the line before it, and knows its own places by heart. Who gave a place up before
    it was there it knows as far as the owner before told. Of others it believes a ticket only where that place could
    still be kept: of somebody who showed themselves shortly before this owner began, and does so again soon after.
    """

    def __init__(
        self,
        line_id: str,
        order: LineOrder = LineOrder.ARRIVAL,
        *,
        settles_until: float = 0.0,
        left_before: Mapping[str, float] | None = None,
        on_left: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`left_before` says when people left the line of the owner before, the earliest first.

        `on_left` hears of those who leave this one.
        """
        self.line_id = line_id
        self.order = order
        self._settles_until = settles_until
        self._began = settles_until - SETTLE_SECONDS
        self._on_left = on_left
        self._is_rebuilt = False
        self._ranked: list[Waiter] = []
        """Who waits and is offered nothing, next one first."""
        self._by_sign: OrderedDict[str, Waiter] = OrderedDict()
        """Everybody, whose sign of life is the oldest first."""
        self._offered: dict[str, Waiter] = {}
        self._ahead: list[Waiter] = []
        """To whom a seat is offered, in the order of the line."""
        self._pace = Pace()
        self._gone: OrderedDict[str, float] = OrderedDict(left_before or {})
        """When people gave their place up lately, lost it or came in: since before that nobody has been coming."""

    def __len__(self) -> int:
        return len(self._by_sign)

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._by_sign

    @property
    def offers(self) -> int:
        """Seats that are held."""
        return len(self._offered)

    def of(self, user_id: str) -> Waiter | None:
        """Somebody's place, if they have one."""
        return self._by_sign.get(user_id)

    def is_offered(self, user_id: str) -> bool:
        """Whether a seat is held for this person."""
        return user_id in self._offered

    def held_for_others(self, user_id: str) -> int:
        """Seats that this person may not take."""
        return len(self._offered) - (user_id in self._offered)

    def keeps_out(self, ticket: Ticket | None, now: float, *, likely: bool = False) -> bool:
        """Whether a newcomer has to wait because others do, or, after a change of owner, may turn out to.

        `likely` says that there may well have been a line before the change: so many seats are taken.
        """
        if now < self._settles_until and (likely or self._believes(ticket, now)):
            self._is_rebuilt = True
            return True
        return bool(self._ranked)

    # Coming and going.

    def knock(self, user_id: str, ticket: Ticket | None, now: float) -> Waiter | None:
        """A sign of life of somebody who has a place, or whose ticket another line gave; None for a newcomer.

        Without a ticket the place goes to the device that knocks. Raises TicketElsewhere for the device before it.
        """
        waiter = self._by_sign.get(user_id)
        if waiter is None:
            return self._restore(ticket, now) if ticket is not None and self._believes(ticket, now) else None
        if ticket is None:
            waiter.turn += 1
        elif ticket.turn < waiter.turn:
            raise TicketElsewhere
        else:
            waiter.turn = ticket.turn
        if ticket is not None and ticket.arrived_at < waiter.arrived_at and self._believes(ticket, now):
            # Their other device came first, and without what this one has.
            self._move(waiter, ticket)
        waiter.seen_at, waiter.is_away = now, False
        self._by_sign.move_to_end(user_id)
        return waiter

    def arrival(self, user_id: str, at: int, waited: int, now: float) -> int:
        """When somebody without a place came, in milliseconds since the epoch, who says at `at` to have waited so long.

        What was before they last left the line is over: they did not wait all the time.
        """
        gone = self._gone.get(user_id)
        is_known = gone is None or waited < 1000 * (now - gone)
        return at - min(waited, LONGEST_WAITED_MILLISECONDS) if is_known else at

    def arrive(self, user_id: str, arrived_at: int, lot: int, *, first: bool, now: float) -> Waiter:
        """The newcomer's place; `arrived_at` is in milliseconds since the epoch."""
        if not self._by_sign:
            self._pace.begin(now)
        return self._add(Waiter(user_id, arrived_at, lot, first=first, seen_at=now), now)

    def leave(self, user_id: str, now: float) -> bool:
        """Gives a place up, with the seat that may be held for it; says whether there was one."""
        waiter = self._by_sign.pop(user_id, None)
        if waiter is None:
            return False
        self._note_gone(user_id, now)
        self._take_out(waiter)
        self._offered.pop(user_id, None)
        return True

    def left_before(self, user_id: str, now: float) -> None:
        """The owner before tells, late, who left its line; whoever has stood here since has shown that they wait."""
        if user_id not in self._by_sign:
            self._gone[user_id] = now
            self._gone.move_to_end(user_id)

    def came_in(self, user_id: str, now: float) -> None:
        """Somebody took a seat; those who had a place have it no longer."""
        if self.leave(user_id, now):
            self._pace.note(now)

    # Offers.

    def next_ones(self, most: int, now: float) -> list[Waiter]:
        """To whom seats may be offered now, in order; nobody while places are still being shown again."""
        if now < self._settles_until and self._is_rebuilt:
            return []
        found: list[Waiter] = []
        for waiter in self._ranked:
            if len(found) >= most:
                break
            if not waiter.is_away:
                found.append(waiter)
        return found

    def offer(self, waiter: Waiter, now: float) -> None:
        """Holds a seat for somebody."""
        self._take_out(waiter)
        waiter.offered_until = now + OFFER_SECONDS
        self._offered[waiter.user_id] = waiter
        self._put_in(waiter)

    def take_back(self, user_id: str) -> None:
        """The seat that was held is none after all: its person waits on, at the same place."""
        waiter = self._offered.get(user_id)
        if waiter is not None:
            self._take_out(waiter)
            del self._offered[user_id]
            waiter.offered_until = 0.0
            self._put_in(waiter)

    def lapse(self, now: float) -> list[str]:
        """Ends offers that were not taken in time; their people keep their place and have to show themselves."""
        late = [waiter for waiter in self._offered.values() if waiter.offered_until <= now]
        for waiter in late:
            self.take_back(waiter.user_id)
            waiter.lapses += 1
            waiter.is_away = True
            if waiter.lapses >= MOST_LAPSES:
                self.leave(waiter.user_id, now)
        return [waiter.user_id for waiter in late]

    def forget_silent(self, now: float) -> list[str]:
        """Drops those of whom nothing was heard for too long."""
        gone: list[str] = []
        while self._by_sign:
            user_id, waiter = next(iter(self._by_sign.items()))
            if now - waiter.seen_at < KEPT_SECONDS:
                break
            self.leave(user_id, now)
            gone.append(user_id)
        return gone

    def put_in_order(self, order: LineOrder) -> None:
        """Changes the order; nobody loses what their ticket says."""
        if order is not self.order:
            self.order = order
            self._ranked.sort(key=self._rank_of)
            self._ahead.sort(key=self._rank_of)

    # What is told.

    def position(self, waiter: Waiter) -> int:
        """From 1, among all who wait: whoever is offered a seat has not come in yet."""
        return 1 + self._index(self._ranked, waiter) + self._index(self._ahead, waiter)

    def expected_seconds(self, position: int, now: float) -> float | None:
        """How long it takes by the pace of the last minutes; None while nobody came in."""
        pace = self._pace.a_second(now)
        return position / pace if pace else None

    def _believes(self, ticket: Ticket | None, now: float) -> bool:
        if ticket is None or ticket.line_id == self.line_id:
            return False
        issued_at = now - ticket.age
        if issued_at <= self._gone.get(ticket.user_id, -inf):
            # Its place was given up, or has brought its person in.
            return False
        return issued_at >= self._began - KEPT_SECONDS and now < self._began + KEPT_SECONDS

    def _restore(self, ticket: Ticket, now: float) -> Waiter:
        self._is_rebuilt = True
        if not self._by_sign:
            self._pace.begin(now)
        waiter = Waiter(
            ticket.user_id, ticket.arrived_at, ticket.lot, first=ticket.first, seen_at=now, turn=ticket.turn
        )
        return self._add(waiter, now)

    def _note_gone(self, user_id: str, now: float) -> None:
        self._on_left(user_id)
        self._gone[user_id] = now
        self._gone.move_to_end(user_id)
        oldest = now - LONGEST_WAITED_MILLISECONDS / 1000
        while len(self._gone) > MOST_GONE or next(iter(self._gone.values())) < oldest:
            self._gone.popitem(last=False)

    def _add(self, waiter: Waiter, now: float) -> Waiter:
        waiter.seen_at = now
        self._by_sign[waiter.user_id] = waiter
        self._put_in(waiter)
        return waiter

    def _move(self, waiter: Waiter, ticket: Ticket) -> None:
        self._take_out(waiter)
        waiter.arrived_at, waiter.lot, waiter.first = ticket.arrived_at, ticket.lot, waiter.first or ticket.first
        self._put_in(waiter)

    def _rank_of(self, waiter: Waiter) -> _Rank:
        at = waiter.arrived_at if self.order is LineOrder.ARRIVAL else waiter.arrived_at // LOT_MILLISECONDS
        return not waiter.first, at, waiter.lot, waiter.user_id

    def _index(self, queue: list[Waiter], waiter: Waiter) -> int:
        return bisect_left(queue, self._rank_of(waiter), key=self._rank_of)

    def _queue_of(self, waiter: Waiter) -> list[Waiter]:
        return self._ahead if waiter.user_id in self._offered else self._ranked

    def _put_in(self, waiter: Waiter) -> None:
        queue = self._queue_of(waiter)
        queue.insert(self._index(queue, waiter), waiter)

    def _take_out(self, waiter: Waiter) -> None:
        queue = self._queue_of(waiter)
        del queue[self._index(queue, waiter)]


def lot_of(room_id: str, user_id: str) -> int:
    """The lot somebody draws before a room, from 1: the same one however often they leave the line and come again."""
    return 1 + int.from_bytes(blake2b(f"{room_id}/{user_id}".encode(), digest_size=8).digest()) % (2**32 - 1)


def turn_is_near(position: int, expected: float | None) -> bool:
    """Whether somebody who closes the page now may well miss their turn."""
    return position == 1 or (expected is not None and expected <= KEPT_SECONDS)


def knock_after(position: int, expected: float | None) -> float:
    """Seconds until somebody at this place should knock again: often near the head, seldom far from it."""
    by_place = position * _KNOCK_SECONDS_A_PLACE
    by_wait = expected / 6 if expected is not None else _LATEST_KNOCK_SECONDS
    latest = _NEAR_KNOCK_SECONDS if position <= NEAR else _LATEST_KNOCK_SECONDS
    return max(_SOONEST_KNOCK_SECONDS, min(latest, by_place, by_wait))
