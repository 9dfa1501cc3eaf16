"""The live rooms of this process, and the one way to change them: load, decide, save, tell."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.common.clock import Clock
from services.common.errors import Conflict, DomainError, StorageUnavailable
from services.common.sight.log import get_logger
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.epochs import Epochs
from services.room_directory.app.parts import part_of
from services.room_directory.app.ports import (
    Act,
    Announcer,
    Counters,
    Deed,
    Owners,
    RoomStore,
    SoleOwner,
)
from services.room_directory.app.unsaved import Writer
from services.room_directory.domain.adoption import restore_seats
from services.room_directory.domain.errors import RoomEnded, RoomMoves, RoomNotFound
from services.room_directory.domain.people import Person
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Rungs
from services.room_directory.domain.seats import RoomState, Rules, Visibility
from services.room_directory.domain.waiting import SETTLE_SECONDS, Line

R = TypeVar("R")
TakeEpoch = Callable[[], int]
Decide = Callable[[Room, TakeEpoch], R]
"""Changes a draft of a room by the rules, or refuses. Pure: it reads the draft and what was fetched before, takes
epochs, and touches nothing else, so that it may run again."""

_TRIES = 5
PACE_SECONDS = 0.05
"""Between two writes of a room for changes that may come by the hundred: what comes meanwhile goes together."""

_log = get_logger("rooms")


@dataclass(eq=False, slots=True)
class Waiting:
    """A change that waits to be written together with others, and what came of it."""

    act: Act
    decide: Decide[Any]
    result: Any = None
    refusal: Exception | None = None
    is_done: bool = False


@dataclass(eq=False, slots=True)
class LiveRoom:
    """One live room with what belongs to it in memory."""

    room: Room
    epochs: Epochs
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    relays: set[str] = field(default_factory=set)
    """Relays that serve it or were named in a permit."""
    sample: tuple[str, ...] = ()
    """Who of the audience is shown; renewed with the pulse."""
    sample_told: tuple[tuple[int, Person], ...] = ()
    """The sample as it was told last, each with the epoch of the seat: clients drop from it who leaves, and
    whoever comes back has to be told again."""
    saved: Room | None = None
    """What rows say, while changes wait to be written; None when that is the room itself."""
    deeds: list[Deed] = field(default_factory=list)
    rungs: Rungs = field(default_factory=Rungs)
    """By which way its audience heard it when that was counted last."""
    web: int = 0
    """How many listened from the web without a seat at the last pulse."""
    pulses: int = 0
    """How many pulses went out: counts in a snapshot are as fresh as the last one."""
    waiting: list[Waiting] = field(default_factory=list)
    write_at: float = 0.0
    """Loop seconds before which those that wait are not written."""
    line: Line | None = None
    """Those who wait for a seat; None while nobody ever did."""
    settles_until: float = 0.0
    """Monotonic seconds until which people whom an earlier owner had waiting may show their tickets first."""


Reserve = Callable[[LiveRoom, Room], None]
"""Takes what a decision needs elsewhere, given the draft as decided."""


@dataclass(frozen=True, slots=True)
class Changed(Generic[R]):
    """A room after a change, and what the decision returned."""

    live: LiveRoom
    room: Room
    result: R
    unsaved: bool = False
    """True when it holds, but a restart before it is written would undo it."""


class LiveRooms:
    """Every live room, each changed by one at a time."""

    def __init__(
        self,
        store: RoomStore,
        announcer: Announcer,
        dispatch: Dispatch,
        clock: Clock,
        counters: Counters,
        *,
        rules: Rules,
        owners: Owners | None = None,
    ) -> None:
        """Without `owners` this is the only copy, and every room its own."""
        self.rules = rules
        self._owners: Owners = owners or SoleOwner()
        self._store = store
        self._writer = Writer(store, clock)
        self._announcer = announcer
        self._dispatch = dispatch
        self._clock = clock
        self._counters = counters
        self._rooms: dict[str, LiveRoom] = {}

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter(list(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, room_id: str) -> LiveRoom | None:
        return self._rooms.get(room_id)

    async def find(self, room_id: str) -> LiveRoom:
        """A live room. Raises RoomEnded for one that is over, RoomMoves for another copy's, RoomNotFound for none."""
        live = self._rooms.get(room_id)
        if live is None:
            await self._owners.look_for(room_id)
            live = self._rooms.get(room_id)
        if live is not None:
            return live
        stored = await self._store.load(room_id)
        if stored is not None and stored.state is not RoomState.ENDED and not self._writer.has_ended(room_id):
            # Some copy is about to take it.
            raise RoomMoves
        if stored is None:
            raise RoomNotFound
        # Everyone here could read the title of an open room while it was live.
        is_open = stored.visibility is Visibility.OPEN
        raise RoomEnded(metadata={"title": stored.title} if is_open else None)

    async def is_over(self, room_id: str) -> bool:
        """Whether a room is recorded as over; False for one that is not known."""
        return await self.over(room_id) is not None

    async def over(self, room_id: str) -> Room | None:
        """A room that is over, here or as rows have it; None for any other."""
        if room_id in self._rooms:
            return None
        stored = self._writer.ended(room_id) or await self._store.load(room_id)
        return stored if stored is not None and stored.state is RoomState.ENDED else None

    def lives(self, room_id: str) -> bool:
        """Whether a room is here, be it only to be written as over."""
        return room_id in self._rooms or self._writer.has_ended(room_id)

    def waits_to_end(self, room_id: str) -> bool:
        """Whether a room is over here and that could not be written yet."""
        return self._writer.has_ended(room_id)

    async def recall(self, room_id: str) -> Room:
        """A room that may be over. Raises RoomNotFound."""
        stored = await self._store.load(room_id)
        if stored is None:
            raise RoomNotFound
        return stored

    async def load(self) -> None:
        """Takes over every live room from the database."""
        now = self._clock.now()
        for room, ceiling in await self._store.load_live():
            restore_seats(room, now)
            live = LiveRoom(room, Epochs.after_restart(ceiling))
            live.settles_until = self._clock.monotonic() + SETTLE_SECONDS
            live.relays.add(room.home_relay_id)
            self._rooms[room.room_id] = live
            await self._reserve(live)

    async def take(self, live: LiveRoom, act: Act, decide: Decide[None]) -> None:
        """Begins with a room that this copy owns now; `decide` comes before what anybody else wants of it.

        Raises what keeping it raises; the room is not here then.
        """
        room_id = live.room.room_id
        live.settles_until = self._clock.monotonic() + SETTLE_SECONDS
        self._rooms[room_id] = live
        try:
            # Nobody else has this lock yet: whoever finds the room waits for it.
            async with live.lock:
                self._dispatch.configure(live.relays, part_of(live.room))
                await self._change(live, [Waiting(act, decide)])
        except BaseException:
            self.lose(room_id)
            raise

    def lose(self, room_id: str) -> None:
        """Another copy owns a room: nothing of it is decided here any more."""
        self._rooms.pop(room_id, None)

    def may_decide(self, live: LiveRoom) -> bool:
        """Whether what cannot be undone may be decided here, like where the stage lives."""
        return self._owners.may_decide(live.room.room_id)

    def may_go_on(self, live: LiveRoom) -> bool:
        """Whether the room is this copy's as far as anybody can know."""
        return self._owners.may_go_on(live.room.room_id)

    def _require_own(self, live: LiveRoom) -> None:
        if not self.may_go_on(live):
            raise RoomMoves

    async def add(self, room: Room, epochs: Epochs, act: Act) -> LiveRoom:
        """Writes a new room and tells of it. Raises Conflict when its request made one already."""
        live = LiveRoom(room, epochs)
        live.relays.add(room.home_relay_id)
        with self._owners.making(room):
            await self._store.create(room, epochs.ceiling, act)
            self._rooms[room.room_id] = live
        self._announcer.tell(room.facts)
        self._dispatch.configure(live.relays, part_of(room))
        return live

    async def change(self, room_id: str, act: Act, decide: Decide[R], reserve: Reserve | None = None) -> Changed[R]:
        """Decides on a draft of the room, writes it if rows changed, keeps it, and tells relays and the world.

        A refusal of `decide` changes nothing, nor does one of `reserve`, which then takes what the decision needs
        elsewhere, as often as there is a decision. A conflict with another writer makes it decide again on what that
        one wrote, five times at most; then Conflict is raised. While nothing can be written an act that goes on holds
        in memory and is written later, and any other is refused with StorageUnavailable.
        """
        live, mine = await self.find(room_id), Waiting(act, decide)
        async with live.lock:
            saved = await self._change(live, [mine], reserve)
            if mine.refusal is not None:
                raise mine.refusal
            return Changed(live, live.room, mine.result, unsaved=not saved)

    async def change_with_others(self, room_id: str, act: Act, decide: Decide[R]) -> Changed[R]:
        """As `change`, for acts that go on and may come by the hundred.

        Those that come close together are decided one after the other and written as one; each returns once it is
        written, or raises its own refusal.
        """
        live, mine = await self.find(room_id), Waiting(act, decide)
        live.waiting.append(mine)
        try:
            pause = live.write_at - asyncio.get_running_loop().time()
            if pause > 0:
                await asyncio.sleep(pause)
            async with live.lock:
                # Whoever has the lock first writes for all that wait.
                if not mine.is_done:
                    with self._together(live) as together:
                        await self._change(live, together)
        finally:
            if mine in live.waiting:
                live.waiting.remove(mine)
        if mine.refusal is not None:
            raise mine.refusal
        return Changed(live, live.room, mine.result)

    @staticmethod
    @contextmanager
    def _together(live: LiveRoom) -> Iterator[list[Waiting]]:
        """All that wait, done once they were changed; what fails for them all is raised by each."""
        together, live.waiting = live.waiting, []
        live.write_at = asyncio.get_running_loop().time() + PACE_SECONDS
        try:
            yield together
        except asyncio.CancelledError:
            # This caller is gone; the others still want theirs, and one of them has the lock next.
            live.waiting = [*together, *live.waiting]
            raise
        except Exception as error:  # noqa: BLE001 (each of them raises it)
            for each in together:
                each.refusal = error
        for each in together:
            each.is_done = True

    async def _change(self, live: LiveRoom, together: Sequence[Waiting], reserve: Reserve | None = None) -> bool:
        """Decides one after the other, writes as one, and says whether that is written; the caller holds the lock."""
        if self._rooms.get(live.room.room_id) is not live:
            # It ended meanwhile, or went to another copy.
            await self.find(live.room.room_id)
            raise RoomMoves
        await self._reserve(live)
        self._require_own(live)
        for attempt in range(1, _TRIES + 1):
            draft, epochs = live.room.draft(), live.epochs.draft(live.room.epochs_in_use())
            deeds: list[Deed] = []
            for each in together:
                told = len(draft.facts)
                try:
                    each.result, each.refusal = each.decide(draft, epochs.taker(each.act)), None
                except DomainError as error:
                    # A refusal has changed nothing: the draft is as the one before left it.
                    each.refusal = error
                else:
                    facts = tuple(type(fact).__name__ for fact in draft.facts[told:])
                    deeds.append(Deed(each.act, self._clock.now(), draft.revision, facts))
            if not deeds:
                return live.saved is None
            if reserve is not None:
                reserve(live, draft)
            # Also where writing fails: what may stand in rows is never given twice.
            live.epochs = epochs
            try:
                return await self._keep(live, draft, deeds)
            except Conflict:
                if attempt == _TRIES:
                    raise
                await self._reload(live)
        raise AssertionError("unreachable")

    async def enforce(self, room_id: str, act: Act, decide: Decide[R], reserve: Reserve | None = None) -> Changed[R]:
        """Changes a room, and returns once its relays do what follows: who was muted is silent then."""
        changed = await self.change(room_id, act, decide, reserve)
        # Not under the room's lock: others go on meanwhile.
        await self._dispatch.acknowledged(tuple(changed.live.relays), changed.room.orders, room_id)
        return changed

    async def write_waiting(self) -> None:
        """Writes what could not be written when it happened; call it every second."""
        await self._writer.write_waiting(self)

    async def _keep(self, live: LiveRoom, draft: Room, deeds: Sequence[Deed]) -> bool:
        # Where nothing changes, because it is so already, what made it so may still wait.
        before, saved = live.room, live.saved is None
        if draft.changed:
            saved = await self._writer.write(live, draft, deeds)
            if not saved:
                self._require_own(live)
            for deed in deeds:
                self._counters.changed(deed.act.action)
        live.room = draft
        live.relays.add(draft.home_relay_id)
        if part_of(draft) != part_of(before):
            self._dispatch.configure(live.relays, part_of(draft))
        if draft.orders:
            self._dispatch.order(live.relays, draft.orders)
        if draft.facts:
            self._announcer.tell(draft.facts)
            self._counters.told(draft.facts)
        if draft.state is RoomState.ENDED:
            self._rooms.pop(draft.room_id, None)
            self._writer.over(live)
            _log.info("room over", room_id=draft.room_id, revision=draft.revision)
        return saved

    async def _reload(self, live: LiveRoom) -> None:
        stored = await self._store.load(live.room.room_id)
        if stored is None:
            raise RoomNotFound
        if stored.term != live.room.term:
            self.lose(live.room.room_id)
            raise RoomMoves
        stored.seats, stored.gone, stored.empty_since = live.room.seats, live.room.gone, live.room.empty_since
        stored.sounded, stored.silent = live.room.sounded, live.room.silent
        stored.attended, stored.attended_until = live.room.attended, live.room.attended_until
        live.room, live.saved, live.deeds = stored, None, []

    async def _reserve(self, live: LiveRoom) -> None:
        if live.epochs.is_low:
            ceiling = live.epochs.next_ceiling()
            try:
                await self._store.reserve_epochs(live.room.room_id, ceiling)
            except StorageUnavailable:
                # Reserved well ahead: there are enough for a long time. After a start only spare ones are left.
                _log.debug("no epochs could be reserved", room_id=live.room.room_id)
            else:
                live.epochs.extend(ceiling)

    def configure_relay(self, relay_id: str) -> None:
        """Tells a relay its part in every room it serves."""
        for live in self:
            if relay_id in live.relays:
                self._dispatch.configure((relay_id,), part_of(live.room))

    def served_by(self, live: LiveRoom, relay_ids: Iterable[str]) -> None:
        """Notes that relays begin to serve a room, and tells them their part."""
        new = set(relay_ids) - live.relays
        if new:
            live.relays |= new
            self._dispatch.configure(new, part_of(live.room))
