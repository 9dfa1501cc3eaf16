"""The waiting room: who finds no seat gets a place in the line, and comes in when one is there."""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRoom, LiveRooms
from services.room_directory.app.placing import Seated
from services.room_directory.app.ports import Alone, Ids, Limits, Neighbours
from services.room_directory.app.seats import SeatCases
from services.room_directory.app.tickets import Tickets, milliseconds
from services.room_directory.domain.choosing import is_tight, turns_newcomers_away
from services.room_directory.domain.entry import check_entry, goes_before, stands_in_no_line
from services.room_directory.domain.errors import LineFull, NoRelay, RateLimited, RoomFull, RoomMoves
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.left_places import LeftPlaces, PlaceLeft
from services.room_directory.domain.people import Actor
from services.room_directory.domain.seats import LineOrder, MediaKind
from services.room_directory.domain.waiting import (
    KEPT_SECONDS,
    OFFER_SECONDS,
    Line,
    Ticket,
    Waiter,
    knock_after,
    lot_of,
    turn_is_near,
)

_MOST_OFFERS_A_ROUND = 200
_LINE_FULL_SECONDS = 60.0
_KNOCKS, _KNOCKS_A_SECOND = 60, 2.0
"""How often one person may ask to come in: in a burst, and for ever. Nobody who knocks as they are told comes near."""
_SPREAD = 0.2
"""How far before and after its time a knock may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceShown:
    """A place in a line, as its person is told of it."""

    ticket: str
    position: int
    waiting_count: int
    expected_seconds: float | None
    knock_after_seconds: float
    kept_seconds: float
    offered_until: datetime | None
    order: LineOrder
    near: bool
    relays_busy: bool
    """Whether it is not seats that are missing."""
    listen_over_https: bool
    """Whether they may come in without a relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """How somebody asks to be let in."""

    room_key: str = ""
    ticket: str = ""
    may_wait: bool = False
    without_permit: bool = False
    wish: Wish = AS_SPOKEN
    """What they want to hear."""
    waited: int = 0
    """For how many milliseconds they have been coming, as the edge says that sent them away before."""


class WaitingRoom:
    """The lines of all rooms this process owns; each lives in memory and is built anew from the tickets people show."""

    def __init__(
        self,
        rooms: LiveRooms,
        fleet: Fleet,
        seats: SeatCases,
        tickets: Tickets,
        blocks: Blocks,
        *,
        ids: Ids,
        clock: Clock,
        limits: Limits,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._neighbours = neighbours or Alone()
        self._left = LeftPlaces()
        self._rooms = rooms
        self._fleet = fleet
        self._seats = seats
        self._tickets = tickets
        self._blocks = blocks
        self._ids = ids
        self._clock = clock
        self._limits = limits
        self._door = TokenBuckets(2 * limits.entries_per_second, limits.entries_per_second, max_keys=1)
        self._knocks = TokenBuckets(_KNOCKS, _KNOCKS_A_SECOND)
        self._is_short = False
        """Whether somebody who is next found no relay with room at the last round: newcomers anywhere come after."""
        self._turn = 0
        self.waiting = 0
        """How many wait, before all rooms."""

    async def knock(self, actor: Actor, room_id: str, knock: Knock) -> Seated | PlaceShown:
        """Seats the caller, or gives them a place in the line where they may wait and there is no seat.

        Raises what joining raises, LineFull, TicketInvalid, TicketElsewhere, RateLimited.
        """
        wait = self._knocks.take(actor.user_id, self._clock.monotonic())
        if wait:
            raise RateLimited("you ask to come in too often", retry_after_seconds=wait)
        live = await self._rooms.find(room_id)
        if not self._rooms.may_go_on(live):
            # Another copy may have its line by now, and gives places of its own.
            raise RoomMoves
        ticket = await self._tickets.read(knock.ticket, room_id, actor.user_id)
        if stands_in_no_line(live.room, actor.user_id):
            return await self._take_seat(actor, live, knock)
        now, line = self._clock.monotonic(), live.line
        if line is not None and actor.user_id in line and knock.may_wait:
            # Also a device that may not have the seat any more must not take it.
            line.knock(actor.user_id, ticket, now)
        before = goes_before(live.room, actor.user_id, self._clock.now())
        is_offered = line is not None and line.is_offered(actor.user_id)
        is_newcomer = not (is_offered or before)
        if is_newcomer and self._has_to_wait(actor, live, knock, ticket, now):
            return self._wait(actor, live, knock, ticket, RoomFull("others wait for a seat before this room"))
        try:
            return await self._take_seat(actor, live, knock)
        except DomainError as refusal:
            if is_newcomer:
                # Nobody came in: knocking where one may not enter keeps nobody else out.
                self._door.give_back("", now)
            if not isinstance(refusal, RoomFull | NoRelay):
                raise
            return self._wait(actor, live, knock, ticket, refusal)

    async def leave_line(self, actor: Actor, room_id: str, token: str) -> None:
        """Gives the caller's place up, unless another device has taken it. Raises RoomNotFound, RoomEnded."""
        live = await self._rooms.find(room_id)
        ticket = await self._tickets.read(token, room_id, actor.user_id)
        waiter = live.line.of(actor.user_id) if live.line is not None else None
        if live.line is None or waiter is None or (ticket is not None and ticket.turn < waiter.turn):
            return
        if live.line.is_offered(actor.user_id):
            self._fleet.promises.release(room_id, actor.user_id)
        live.line.leave(actor.user_id, self._clock.monotonic())

    def note_places_left(self, places: list[PlaceLeft]) -> None:
        """Another copy tells who left lines of its own: it may be this copy that has their rooms next."""
        now = self._clock.monotonic()
        self._left.left_elsewhere(places, now)
        for room_id, user_id in places:
            live = self._rooms.get(room_id)
            if live is not None and live.line is not None:
                live.line.left_before(user_id, now)

    async def tell_places_left(self) -> None:
        """Tells other copies who left lines here; call it twice a second, and once more at the end."""
        untold = self._left.take_untold()
        if untold:
            await self._neighbours.note_places_left(untold)

    async def round(self) -> None:
        """Ends what has lapsed and offers what is free, one seat a room and turn; call it twice a second."""
        now = self._clock.monotonic()
        lines = [(live, live.line) for live in self._rooms if live.line is not None and len(live.line)]
        lines = [(live, line) for live, line in lines if self._rooms.may_go_on(live)]
        for live, line in lines:
            line.put_in_order(live.room.line_order)
            for user_id in [*line.lapse(now), *line.forget_silent(now)]:
                self._fleet.promises.release(live.room.room_id, user_id)
        self.waiting = sum(len(line) for _, line in lines)
        self._is_short = not self._offer_all(lines, now)

    def _offer_all(self, lines: list[tuple[LiveRoom, Line]], now: float) -> bool:
        """Offers what is free; says whether the fleet had room for all for whom their rooms had."""
        self._turn += 1
        start = self._turn % len(lines) if lines else 0
        queues = deque(deque(self._next_ones(live, line, now)) for live, line in [*lines[start:], *lines[:start]])
        made = 0
        while queues and made < _MOST_OFFERS_A_ROUND:
            queue = queues.popleft()
            if not queue:
                continue
            if self._door.take("", now) > 0:
                return True
            live, line, waiter = queue.popleft()
            try:
                self._fleet.promises.place(
                    live, waiter.user_id, MediaKind.AUDIENCE, returning=waiter.first, seconds=OFFER_SECONDS
                )
            except RoomFull:
                # Its share of the fleet has shrunk just now; other rooms have theirs.
                self._door.give_back("", now)
                continue
            except NoRelay:
                self._door.give_back("", now)
                return False
            line.offer(waiter, now)
            made += 1
            queues.append(queue)
        return True

    def _next_ones(self, live: LiveRoom, line: Line, now: float) -> Iterator[tuple[LiveRoom, Line, Waiter]]:
        taken = live.room.listener_count() + line.offers
        free = live.room.rules.listener_limit - taken
        left = self._fleet.promises.seats_left(live, taken) if free > 0 else 0
        for waiter in line.next_ones(max(0, min(free, _MOST_OFFERS_A_ROUND)), now):
            if left < 1 and not waiter.first:
                # The room has its share of the fleet; those who go first come before all others.
                return
            left -= 1
            yield live, line, waiter

    def _has_to_wait(self, actor: Actor, live: LiveRoom, knock: Knock, ticket: Ticket | None, now: float) -> bool:
        if knock.without_permit and self._takes_nobodys_seat(live, actor.user_id, now):
            return self._door.take("", now) > 0
        # Without a line this copy may just have got the room: where it, or the fleet, is well filled, some may have
        # waited before it.
        relays, share = self._fleet.relays.values(), self._limits.relay_share
        likely = 2 * live.room.listener_count() >= live.room.rules.listener_limit or (
            now < live.settles_until and is_tight(relays, share, now)
        )
        if self._is_short or self._line_of(live).keeps_out(ticket, now, likely=likely):
            return True
        return self._door.take("", now) > 0

    @staticmethod
    def _takes_nobodys_seat(live: LiveRoom, user_id: str, now: float) -> bool:
        """Whether there is a seat for all before them in line, too: those wait for relays, and HTTPS needs none."""
        if now < live.settles_until:
            return False
        line = live.line
        waiter = line.of(user_id) if line is not None else None
        others = 0 if line is None else len(line) if waiter is None else line.position(waiter) - 1
        return live.room.listener_count() + others < live.room.rules.listener_limit

    async def _take_seat(self, actor: Actor, live: LiveRoom, knock: Knock) -> Seated:
        room_id, line = live.room.room_id, live.line
        held = line.held_for_others(actor.user_id) if line is not None else 0
        seated = await self._seats.join_room(
            actor,
            room_id,
            knock.room_key,
            without_permit=knock.without_permit,
            held=held,
            wish=knock.wish,
        )
        if live.line is not None:
            live.line.came_in(actor.user_id, self._clock.monotonic())
        return seated

    def _wait(
        self, actor: Actor, live: LiveRoom, knock: Knock, ticket: Ticket | None, refusal: RoomFull | NoRelay
    ) -> PlaceShown:
        """A place for somebody who may wait. Raises the refusal for anybody else, and what keeps people out at all."""
        check_entry(live.room, actor, knock.room_key, blocked=self._blocks.keep_out(live.room, actor.user_id))
        now, line = self._clock.monotonic(), self._line_of(live)
        if not knock.may_wait:
            if refusal.retry_after_seconds is None:
                refusal.retry_after_seconds = self._retry_after(line, now)
            raise refusal
        if line.is_offered(actor.user_id):
            # The seat that was held is gone: somebody who comes back had it first.
            line.take_back(actor.user_id)
        waiter = line.of(actor.user_id)
        return self._show(live, line, waiter or self._stand(actor, live, ticket, knock))

    def _stand(self, actor: Actor, live: LiveRoom, ticket: Ticket | None, knock: Knock) -> Waiter:
        """A place that counts from now on: the one an earlier owner gave, or a new one. Raises LineFull."""
        if self.waiting >= self._limits.waiting:
            raise LineFull(retry_after_seconds=_LINE_FULL_SECONDS)
        self.waiting += 1
        at, now, line = self._clock.now(), self._clock.monotonic(), self._line_of(live)
        return line.knock(actor.user_id, ticket, now) or line.arrive(
            actor.user_id,
            line.arrival(actor.user_id, milliseconds(at), knock.waited, now),
            lot_of(live.room.room_id, actor.user_id),
            first=goes_before(live.room, actor.user_id, at),
            now=now,
        )

    @staticmethod
    def _retry_after(line: Line, now: float) -> float:
        """When trying again may help somebody who takes no place: as often as the last one in line would knock."""
        behind = len(line) + 1
        return math.ceil(knock_after(behind, line.expected_seconds(behind, now)) * _spread())

    def _show(self, live: LiveRoom, line: Line, waiter: Waiter) -> PlaceShown:
        now, position = self._clock.monotonic(), line.position(waiter)
        expected = line.expected_seconds(position, now)
        offered = waiter.offered_until - now
        relays_busy = turns_newcomers_away(self._fleet.relays.values(), now)
        return PlaceShown(
            ticket=self._tickets.issue(live.room.room_id, line, waiter),
            position=position,
            waiting_count=len(line),
            expected_seconds=expected,
            knock_after_seconds=knock_after(position, expected) * _spread(),
            kept_seconds=KEPT_SECONDS,
            offered_until=self._clock.now() + timedelta(seconds=offered) if offered > 0 else None,
            order=line.order,
            near=turn_is_near(position, expected),
            relays_busy=relays_busy,
            listen_over_https=relays_busy
            and self._takes_nobodys_seat(live, waiter.user_id, now)
            and self._fleet.listeners.have_room,
        )

    def _line_of(self, live: LiveRoom) -> Line:
        if live.line is None:
            room_id = live.room.room_id
            live.line = Line(
                self._ids.new_id(),
                live.room.line_order,
                settles_until=live.settles_until,
                left_before=self._left.of_room(room_id),
                on_left=partial(self._left.left_here, room_id),
            )
        return live.line


def _spread() -> float:
    return random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 (jitter)
