"""Keeps the leases of this copy's rooms, and knows where all others are."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from services.common.clock import Clock
from services.common.errors import DomainError, StorageUnavailable
from services.common.sight.log import get_logger
from services.room_directory.app.ownership.neighbours import gone_from_here
from services.room_directory.app.ownership.ports import GivenSeat, LeaseStore
from services.room_directory.domain.errors import RoomMoves
from services.room_directory.domain.leases import (
    AWAY_SECONDS,
    RENEW_SECONDS,
    Answer,
    CopyState,
    Holdings,
    Lease,
)
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Seat

LOOK_SECONDS = RENEW_SECONDS / 2
"""Twice for each renewal that is due: one may fail, and what nobody owns is found soon."""
_ROUND_SECONDS = AWAY_SECONDS / 2
_COMING_SECONDS = 2.0
"""How long a call waits for a room that is on its way here."""

Arrive = Callable[[Mapping[str, int], Callable[[str], None]], Awaitable[Sequence[str]]]
"""Takes over rooms, each under its term, and tells of each that is here; returns those that are over.

What it cannot take now comes again."""
Tell = Callable[[str, Sequence[GivenSeat]], Awaitable[None]]
"""Gives the copy at an address the seats of rooms that are given away; it has taken the rooms when this returns."""

_log = get_logger("ownership")


class Ownership:
    """Who owns what, as far as this copy knows: the way it finds out is one statement each half second.

    It tells what is lost before what has come, and lets nobody decide about a room whose lease it cannot believe in.
    """

    def __init__(self, store: LeaseStore, copy_id: str, clock: Clock) -> None:
        self._store = store
        self.clock = clock
        self._holdings = Holdings()
        self._copy_id = copy_id
        self._address: Callable[[], str] = str
        self._arrive: Arrive | None = None
        self._lose: Callable[[str], None] = _nobody
        self._lives: Callable[[str], bool] = _nowhere
        self._seats_of: Callable[[str], Sequence[Seat]] = _no_seats
        self._others: dict[str, Lease] = {}
        self._coming: dict[str, asyncio.Future[None]] = {}
        self._making: set[str] = set()
        self._over: set[str] = set()
        self._leaving = False
        self._given: dict[str, asyncio.Future[str]] = {}
        """Rooms that this copy gave away as it leaves, and the address of who has them."""
        self._rounds = asyncio.Lock()
        self.copies: tuple[CopyState, ...] = ()
        """All that run, this one included, as of the last round."""
        self.ownerless_seconds = 0.0
        """For how long the room that waits longest has had no owner."""

    def wire(
        self,
        arrive: Arrive,
        lose: Callable[[str], None],
        lives: Callable[[str], bool],
        seats_of: Callable[[str], Sequence[Seat]],
    ) -> None:
        """What takes rooms in and what gives them up, whether one is here, and which seats only this copy knows of.

        Asked from the first round on.
        """
        self._arrive, self._lose, self._lives, self._seats_of = arrive, lose, lives, seats_of

    def listens_at(self, address: Callable[[], str]) -> None:
        """Where others reach this copy; asked once it serves."""
        self._address = address

    @property
    def me(self) -> CopyState:
        """How this copy tells of itself, with its rooms as of now."""
        return CopyState(self._copy_id, self._address(), len(self._holdings), self._leaving)

    # What the live rooms ask.

    def may_decide(self, room_id: str) -> bool:
        """Whether nobody else can own the room at this moment."""
        return self._holdings.may_decide(room_id, self.clock.monotonic())

    def may_go_on(self, room_id: str) -> bool:
        """Whether this copy owns it as far as anybody can know: the database, which would tell, may be away."""
        return self._holdings.may_go_on(room_id, self.clock.monotonic())

    @contextmanager
    def making(self, room: Room) -> Iterator[None]:
        """Around the writing of a new room, which is this copy's."""
        asked_at = self.clock.monotonic()
        # A round may see the row before its writer hears that it is there.
        self._making.add(room.room_id)
        try:
            yield
            self._holdings.granted(room.room_id, room.term, asked_at, self.clock.monotonic())
        finally:
            self._making.discard(room.room_id)

    async def look_for(self, room_id: str) -> None:
        """Returns when a room that was on its way is here, or no copy has it. Raises RoomMoves for one elsewhere."""
        coming = self._coming.get(room_id)
        if coming is not None:
            try:
                async with asyncio.timeout(_COMING_SECONDS):
                    await asyncio.shield(coming)
            except TimeoutError:
                raise RoomMoves from None
            return
        owner = await self.owner_of(room_id)
        if owner is not None:
            raise RoomMoves(owner)

    async def owner_of(self, room_id: str) -> str | None:
        """The address of the copy that owns a room; empty while none does or it is coming here, None for no room.

        Of a room that is being given away it waits to tell until the next owner has it: whoever asks is sent on once.
        """
        given = self._given.get(room_id)
        if given is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_COMING_SECONDS):
                    return await asyncio.shield(given)
            return ""
        if room_id in self._holdings and room_id not in self._coming:
            # It was here and is over: its row goes with the next round.
            return None
        lease = self._others.get(room_id) or await self._store.find(room_id)
        if lease is None:
            return None
        return "" if lease.lapsed or lease.owner_id == self._copy_id else lease.address

    def elsewhere(self) -> list[Lease]:
        """Rooms of other copies, as of the last round."""
        return list(self._others.values())

    # Rounds.

    async def start(self) -> None:
        """The first round: rooms of owners that ran on this machine and are gone need not lapse first."""
        await self.round(await gone_from_here(self._store, self.me.address))

    async def round(self, take_from: Sequence[str] = ()) -> None:
        """Renews, takes what nobody owns, and gives up what others have; call it each half second."""
        async with self._rounds:
            if self._leaving:
                return
            here = (*self._coming, *self._making)
            self._over |= {room_id for room_id in self._holdings if room_id not in here and not self._lives(room_id)}
            over, asked_at = tuple(self._over), self.clock.monotonic()
            try:
                async with asyncio.timeout(_ROUND_SECONDS):
                    answer = await self._store.round(self.me, over=over, take_from=take_from)
            except (StorageUnavailable, TimeoutError) as error:
                self._holdings.failed(asked_at, self.clock.monotonic())
                raise StorageUnavailable("leases could not be renewed") from error
            self._holdings.let_go(over)
            self._over.difference_update(over)
            await self._take_in(answer, asked_at)

    async def _take_in(self, answer: Answer, asked_at: float) -> None:
        self._others = {lease.room_id: lease for lease in answer.others}
        self.copies, self.ownerless_seconds = answer.copies, answer.ownerless_seconds
        lost, found = self._holdings.answered(answer, asked_at)
        new = {room_id: term for room_id, term in found.items() if room_id not in self._making}
        for room_id in lost:
            _log.warning("another copy owns a room", room_id=room_id)
            self._lose(room_id)
        # One that another copy had in between is another room now: it is taken in anew.
        await self.take_in(new, asked_at)

    async def take_in(self, terms: Mapping[str, int], asked_at: float) -> None:
        """Takes over rooms whose leases are this copy's by a write that began at `asked_at`."""
        if not terms or self._arrive is None:
            return
        loop = asyncio.get_running_loop()
        for room_id, term in terms.items():
            self._lose(room_id)
            self._holdings.granted(room_id, term, asked_at, self.clock.monotonic())
            self._coming.setdefault(room_id, loop.create_future())
        try:
            self._over.update(await self._arrive(terms, self._is_here))
        except DomainError as error:
            _log.warning("rooms could not be taken over yet", rooms=len(terms), reason=error.reason)
        finally:
            # What did not come is not held: the next round finds its row without a holder, and tries again.
            self._holdings.let_go(room_id for room_id in terms if not self._lives(room_id))
            for room_id in terms:
                self._is_here(room_id)
                self._coming.pop(room_id, None)

    def _is_here(self, room_id: str) -> None:
        coming = self._coming.get(room_id)
        if coming is not None and not coming.done():
            coming.set_result(None)

    def others(self) -> list[CopyState]:
        """The other copies that run and stay, those with the fewest rooms first."""
        others = [copy for copy in self.copies if copy.copy_id != self._copy_id and not copy.leaving]
        return sorted(others, key=lambda copy: (copy.rooms, copy.copy_id))

    async def leave(self, tell: Tell) -> None:
        """Takes no more rooms and gives those it has away: their leases lapse now, and another copy is told to look.

        Again for those that were made since. Whoever asks meanwhile waits, and hears who has them.
        """
        began, self._leaving = not self._leaving, True
        taken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            async with self._rounds:
                held = list(self._holdings)
                if not held and not began:
                    return
                # In one go: nobody takes a seat between when they are listed and when this copy decides no more.
                seats = [(room_id, seat) for room_id in held for seat in self._seats_of(room_id)]
                self._given |= dict.fromkeys(held, taken)
                self._holdings.let_go(held)
                for room_id in held:
                    self._lose(room_id)
                await self._store.leave(self._copy_id)
            taken.set_result(await self._give(tell, seats))
        finally:
            if not taken.done():
                taken.set_result("")

    async def _give(self, tell: Tell, seats: Sequence[GivenSeat]) -> str:
        """The address of the copy that took them; empty where none does."""
        for other in self.others():
            try:
                await tell(other.address, seats)
            except DomainError as error:
                _log.info("a copy does not take rooms", copy=other.address, reason=error.reason)
            else:
                return other.address
        return ""


def _nobody(_room_id: str) -> None:
    """Before anything is wired."""


def _no_seats(_room_id: str) -> Sequence[Seat]:
    return ()


def _nowhere(_room_id: str) -> bool:
    return False
