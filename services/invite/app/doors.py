"""Lets newcomers in at the pace of the fleet's room, and keeps the line of those who wait."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.store.database import retry_conflicts
from services.common.trust.actor import Actor
from services.invite.app.ports import Counters, Limits, Post, Store, Tx, Visitor
from services.invite.domain import limits as rates
from services.invite.domain.codes import code_hash, request_hash
from services.invite.domain.doors import (
    BY_HAND_OPEN,
    MINUTE,
    Cause,
    Doors,
    DoorState,
    Override,
    Pace,
    checked_override,
)
from services.invite.domain.errors import (
    DoorsPaced,
    DoorsPaused,
    InvitationClaimed,
    InvitationInvalid,
    LineFull,
    NotInLine,
    PlaceElsewhere,
)
from services.invite.domain.headroom import Fleet, Headroom
from services.invite.domain.invitation import Invitation, State
from services.invite.domain.line import Entered, Line, Standing, Ticket, Turns, expected_wait, free_now, ticket

_OLD_SECONDS = 1.0
"""What is told of the line is read again when it is older."""
_ENTRIES_KEPT = timedelta(hours=3)
_CLAIMED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LineRules:
    """The deployment's numbers."""

    follows: bool
    """False: doors stand open whatever the fleet says."""
    most_waiting: int
    kept: timedelta
    """How long a place is kept for somebody who does not look."""


@dataclass(frozen=True, slots=True)
class DoorsShown:
    """How the doors stand, for everybody."""

    pace: Pace
    waiting: int
    wait_seconds: float | None
    """Of somebody who came now."""
    letters: bool
    """Whether who waits may leave an address."""


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """A place, as who holds it sees it."""

    ticket: Ticket
    kept_until: datetime
    letter: bool
    """Whether an address is left for when it is the turn."""
    letter_sent: bool
    """Whether the letter that told of it went out."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """How the doors stand, for operators."""

    doors: DoorsShown
    headroom: Headroom | None
    entered_last_minute: int
    places: int
    override: Override | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look into the database told."""

    at: datetime
    monotonic: float
    pace: Pace
    entered: Entered
    line: Line
    override: Override | None


class Doorkeeper:
    """The doors of one copy.

    Who comes in is decided in the database, under one row that all copies share; what people are told of the line comes
    from a look at it that is at most a second old.
    """

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        limits: Limits,
        clock: Clock,
        counters: Counters,
        rules: LineRules,
        post: Post,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._limits = limits
        self._clock = clock
        self._counters = counters
        self._rules = rules
        self._post = post
        self._doors = Doors()
        self._seen: _Seen | None = None
        self._looking = asyncio.Lock()
        self._turns = Turns()
        self._touched: dict[str, float] = {}
        """Who looked since the last round, and how many seconds each counts as waiting."""

    async def enter(self, tx: Tx, invitation: Invitation, redemption_id: str, holder_hash: str) -> DomainError | None:
        """Counts a newcomer in, or gives the refusal that tells their place, which is kept once the transaction ends.

        The place is of this request then, whoever waited in it before. Raises LineFull.
        """
        # The doors are held first: what the fleet has room for is read afterwards, however long that took.
        override = await tx.lock_doors()
        at = await tx.moment(self._clock.now())
        pace = self.pace(override, at)
        number = await tx.number_of(invitation.invitation_id)
        entered = await tx.entered(at, pace.seconds, pace.slice_seconds)
        ahead = await tx.ahead_of(number, at, self._rules.most_waiting)
        told = ticket(pace, entered, ahead, ahead + 1)
        is_awaited = self._turns.is_awaited(invitation.invitation_id, told, self._clock.monotonic())
        if told.turn:
            await tx.note_entry(redemption_id, at)
            return None
        present_until = at + timedelta(seconds=told.present_seconds if is_awaited else 0.0)
        kept_until = at + self._rules.kept
        if number is not None:
            await tx.keep_places(at, {invitation.invitation_id: present_until}, kept_until)
        elif await tx.count_places() >= self._rules.most_waiting:
            raise LineFull("too many wait already; try again later", retry_after_seconds=told.look_seconds)
        else:
            await tx.take_place(invitation.invitation_id, at, present_until, kept_until)
        await tx.hold_place(invitation.invitation_id, holder_hash)
        return _refusal(pace, told)

    async def get_doors(self) -> DoorsShown:
        """How the doors stand."""
        return self._shown(await self._look())

    async def find_place(self, code: str) -> PlaceShown | None:
        """A code's place, if it has one, without counting as a look."""
        return self._place(await self._look(), code_hash(code))

    async def get_place(self, code: str, visitor: Visitor, request_id: str = "") -> tuple[PlaceShown, DoorsShown]:
        """A code's place; whoever looks counts as waiting, until they let their turn pass.

        Raises InvitationInvalid, InvitationClaimed, NotInLine, PlaceElsewhere, RateLimited.
        """
        hashed = code_hash(code)
        seen = await self._look()
        if seen.line.find(hashed) is None:
            # It may have come into the line a moment ago, or by another copy.
            await self.check_in_line(hashed, visitor)
            seen = await self._look(fresh=True)
        place, standing = self._place(seen, hashed), seen.line.find(hashed)
        if place is None or standing is None:
            raise InvitationInvalid
        if not _is_holder(standing, request_id):
            # It may have been taken a moment ago by whoever asks here, here or by another copy.
            seen = await self._look(fresh=True)
            place, standing = self._place(seen, hashed), seen.line.find(hashed)
            if place is None or standing is None:
                raise InvitationInvalid
            _check_holder(standing, request_id)
        if place.ticket.turn:
            # Few are told so at a time; what was seen a second ago may have been spent since, by another copy too.
            await self._check_waits(hashed)
        is_awaited = self._turns.is_awaited(standing.invitation_id, place.ticket, self._clock.monotonic())
        self._touched[standing.invitation_id] = place.ticket.present_seconds if is_awaited else 0.0
        return place, self._shown(seen)

    async def leave_line(self, code: str, visitor: Visitor, request_id: str = "") -> None:
        """Gives a code's place up; the code stays as it was.

        Raises InvitationInvalid, InvitationClaimed, PlaceElsewhere, RateLimited.
        """
        hashed = code_hash(code)
        try:
            invitation = await self.check_in_line(hashed, visitor)
        except NotInLine:
            return
        standing = (await self._look(fresh=True)).line.find(hashed)
        if standing is not None:
            _check_holder(standing, request_id)
        await self._leave(invitation.invitation_id)
        self._touched.pop(invitation.invitation_id, None)
        self._seen = None

    @retry_conflicts()
    async def _leave(self, invitation_id: str) -> None:
        async with self._store.write() as tx:
            await tx.leave_place(invitation_id)

    async def line_at(self, tx: Tx, at: datetime) -> Line:
        """Everybody with a place."""
        return Line(await tx.line(at), at)

    async def inspect(self) -> Inspection:
        """How the doors stand, with what they go by."""
        seen = await self._look(fresh=True)
        async with self._store.read() as tx:
            minute = await tx.entered(seen.at, MINUTE, MINUTE)
            places = await tx.count_places()
        override = seen.override if seen.override is not None and seen.at < seen.override.until else None
        return Inspection(self._shown(seen), self._headroom(), minute.within, places, override)

    async def override(self, by: Actor, state: DoorState, a_minute: int, reason: str, until: datetime) -> DoorsShown:
        """An operator orders how doors stand. Raises FieldInvalid."""
        async with self._store.read() as tx:
            at = await tx.moment(self._clock.now())
        order = checked_override(
            state=state, a_minute=a_minute, reason=reason, operator_id=by.user_id, since=at, until=until
        )
        detail = {"state": state.value, "a_minute": a_minute, "reason": order.reason, "until": until.isoformat()}
        await self._order(order, by, "doors_overridden", detail)
        return self._shown(await self._look(fresh=True))

    async def release(self, by: Actor) -> DoorsShown:
        """Takes an operator's order back."""
        await self._order(None, by, "doors_released", {})
        return self._shown(await self._look(fresh=True))

    async def round(self) -> None:
        """Notes who looked, and how things stand; call it each second or two."""
        await self._note_looks()
        seen = await self._look(fresh=True)
        self._turns.forget_all_but(seen.line.invitation_ids)
        self._counters.doors(seen.pace, self._headroom(), seen.line.present, seen.line.places)

    async def sweep(self) -> None:
        """Ends places that nobody kept or whose codes are over, and an order past its time; run it now and then."""
        async with self._store.write() as tx:
            # Held, so that no order made meanwhile is taken for the one that ended.
            order = await tx.lock_doors()
            at = await tx.moment(self._clock.now())
            if order is not None and at >= order.until:
                await tx.set_override(None)
            ended = await tx.sweep_line(at, at - _ENTRIES_KEPT)
        self._counters.invitations("place_ended", ended)

    @retry_conflicts()
    async def _order(self, order: Override | None, by: Actor, action: str, detail: Mapping[str, Any]) -> None:
        async with self._store.write() as tx:
            await tx.lock_doors()
            await tx.set_override(order)
            await tx.audit(self._clock.now(), by.user_id, action, "doors", by.told(detail))

    @retry_conflicts()
    async def _note_looks(self) -> None:
        if not self._touched:
            return
        touched, self._touched = self._touched, {}
        try:
            async with self._store.write() as tx:
                at = await tx.moment(self._clock.now())
                until = {each: at + timedelta(seconds=seconds) for each, seconds in touched.items()}
                await tx.keep_places(at, until, at + self._rules.kept)
        except DomainError:
            # Nobody loses a place to a database that was away for a moment.
            self._touched = touched | self._touched
            raise

    async def _look(self, *, fresh: bool = False) -> _Seen:
        """What the database says, as of now or at most a second ago; one look at a time."""
        asked = self._clock.monotonic()
        async with self._looking:
            seen = self._seen
            # Somebody who waited here may find that another has just looked.
            if seen is not None and seen.monotonic >= (asked if fresh else self._clock.monotonic() - _OLD_SECONDS):
                return seen
            async with self._store.read() as tx:
                at = await tx.moment(self._clock.now())
                override = await tx.get_override()
                pace = self.pace(override, at)
                entered = await tx.entered(at, pace.seconds, pace.slice_seconds)
                line = await self.line_at(tx, at)
            self._seen = _Seen(at, self._clock.monotonic(), pace, entered, line, override)
            return self._seen

    async def check_in_line(self, hashed: str, visitor: Visitor) -> Invitation:
        """A code that waits. Raises InvitationInvalid, InvitationClaimed, NotInLine, RateLimited."""
        self._limits.take(rates.BAD_CODES_PER_NETWORK, visitor.network)
        self._limits.take(rates.BAD_CODES_PER_DEPLOYMENT)
        try:
            invitation = await self._check_waits(hashed)
        except (InvitationClaimed, NotInLine):
            # The code is a good one.
            self._give_back_code_limits(visitor)
            raise
        self._give_back_code_limits(visitor)
        return invitation

    async def _check_waits(self, hashed: str) -> Invitation:
        """Raises InvitationInvalid, InvitationClaimed, NotInLine."""
        async with self._store.read() as tx:
            invitation = await tx.find_by_code(hashed)
            if invitation is None or not await tx.in_good_standing(invitation.inviter_id):
                raise InvitationInvalid
            number = await tx.number_of(invitation.invitation_id)
        invitation.check_shown_to_guest(self._clock.now())
        if invitation.state is State.CLAIMED:
            raise InvitationClaimed("somebody is redeeming it just now", retry_after_seconds=_CLAIMED_SECONDS)
        if number is None:
            raise NotInLine("this invitation has no place in the line; redeem it")
        return invitation

    def _give_back_code_limits(self, visitor: Visitor) -> None:
        self._limits.give_back(rates.BAD_CODES_PER_NETWORK, visitor.network)
        self._limits.give_back(rates.BAD_CODES_PER_DEPLOYMENT)

    def _place(self, seen: _Seen, hashed: str) -> PlaceShown | None:
        standing = seen.line.find(hashed)
        if standing is None:
            return None
        ahead, waiting = seen.line.ahead_of(standing.number), seen.line.present
        told, kept_until = ticket(seen.pace, seen.entered, ahead, waiting), seen.at + self._rules.kept
        return PlaceShown(told, kept_until, standing.letter, standing.letter_sent)

    def _headroom(self) -> Headroom | None:
        return self._fleet.headroom(self._clock.monotonic())

    def pace(self, override: Override | None, at: datetime) -> Pace:
        """The pace of now."""
        if not self._rules.follows and (override is None or at >= override.until):
            return Pace(DoorState.OPEN, Cause.OPERATOR, BY_HAND_OPEN)
        return self._doors.pace(self._headroom(), override, at)

    def _shown(self, seen: _Seen) -> DoorsShown:
        present = seen.line.present
        wait = expected_wait(seen.pace, free_now(seen.pace, seen.entered), present)
        return DoorsShown(seen.pace, present, wait, self._post.can_deliver)


def _is_holder(standing: Standing, request_id: str) -> bool:
    return standing.is_held_by(request_hash(request_id) if request_id else "")


def _check_holder(standing: Standing, request_id: str) -> None:
    """Raises PlaceElsewhere."""
    if not _is_holder(standing, request_id):
        raise PlaceElsewhere("another device waits in this place now; redeem again to take it back")


def _refusal(pace: Pace, told: Ticket) -> DomainError:
    values = {"place": str(told.place), "waiting": str(told.waiting)}
    if told.wait_seconds is not None:
        values["wait_seconds"] = str(round(told.wait_seconds))
    kind: Callable[..., DomainError] = DoorsPaused if pace.state is DoorState.PAUSED else DoorsPaced
    words = "nobody new comes in just now" if pace.state is DoorState.PAUSED else "newcomers come in one after another"
    return kind(f"{words}; your place is kept", retry_after_seconds=told.look_seconds, metadata=values)
