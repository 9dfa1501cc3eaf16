"""The directory's use cases over live rooms that hold each decision to being pure: made twice, with the world shut."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from services.common.errors import DomainError
from services.common.tasks import Background
from services.programme.work import Work
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.booths import BoothCases
from services.room_directory.app.captions import CaptionCases
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import Changed, Decide, LiveRoom, LiveRooms, Reserve, TakeEpoch
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.people import People
from services.room_directory.app.permits import Permits
from services.room_directory.app.placing import Placing
from services.room_directory.app.ports import Act, Announcer, Limits, Pulse, StoredRelay
from services.room_directory.app.presence import Presence
from services.room_directory.app.rooms import NewRoom, RoomCases
from services.room_directory.app.seats import SeatCases
from services.room_directory.app.stage import StageCases
from services.room_directory.domain.caption_ring import Caption
from services.room_directory.domain.ended import EndedSignIns
from services.room_directory.domain.events import Fact
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.presence import SessionNews
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Downgrade, Rungs
from services.room_directory.domain.seats import HandMode, MediaKind, Rules, SessionState, Visibility
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.test_dispatch import Latency, Relay
from tests.unit.room_directory.test_live import Store
from tests.unit.room_directory.test_people import Source

R = TypeVar("R")
LINA, OMAR, NADIA = Actor("lina"), Actor("omar", proof=Proof("phone", 1)), Actor("nadia")
RELAY, BOOT = "relay00000", "boot000000"


class Outside:
    """Everything that is not the room; while a decision is made it may not be touched."""

    def __init__(self) -> None:
        self.deciding = False

    def touched(self) -> None:
        assert not self.deciding, "a decision reached for something outside the room"


class GuardedClock(FakeClock):
    """Time, unless a decision asks for it."""

    def __init__(self, outside: Outside) -> None:
        super().__init__()
        self._outside = outside

    def now(self) -> datetime:
        self._outside.touched()
        return super().now()

    def monotonic(self) -> float:
        self._outside.touched()
        return super().monotonic()


class GuardedIds:
    """Ids and numbers in a row."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._last = 0

    def new_id(self) -> str:
        return f"id{self.member():014}"

    def member(self) -> int:
        self._outside.touched()
        self._last += 1
        return self._last


class GuardedAnnouncer:
    """Remembers what is told."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.facts: list[Fact] = []
        self.pulses: list[Pulse] = []

    def tell(self, facts: Iterable[Fact]) -> None:
        self._outside.touched()
        self.facts.extend(facts)

    def pulse(self, pulse: Pulse) -> None:
        self._outside.touched()
        self.pulses.append(pulse)


class GuardedCounters:
    """Remembers how long people waited for sound."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.sounds: list[float] = []
        self.downgrades: list[str] = []

    def joined(self, result: str, user_id: str) -> None:
        self._outside.touched()

    def sounding(self, seconds: float) -> None:
        self._outside.touched()
        self.sounds.append(seconds)

    def downgraded(self, why: Downgrade) -> None:
        self._outside.touched()
        self.downgrades.append(why.value)

    def rungs(self, rungs: Rungs) -> None:
        self._outside.touched()

    def changed(self, action: str) -> None:
        self._outside.touched()

    def captioned(self, result: str) -> None:
        self._outside.touched()

    def told(self, facts: Sequence[Fact]) -> None:
        pass

    def counted(self, *, rooms: int, listeners: int, hands: int, booths: int, interpreting: int, silent: int) -> None:
        self._outside.touched()


class GuardedDispatch(Dispatch):
    """Orders to relays, unless a decision gives them."""

    def __init__(self, outside: Outside, clock: FakeClock, background: Background) -> None:
        super().__init__(clock, Latency(), background)
        self._outside = outside

    def order(self, *about: Any) -> None:
        self._outside.touched()
        super().order(*about)

    def configure(self, *about: Any) -> None:
        self._outside.touched()
        super().configure(*about)


class Memory:
    """Remembers no relay."""

    async def relays(self) -> list[StoredRelay]:
        return []

    async def remember_relay(self, relay: StoredRelay) -> None:
        """Nothing: no start comes after this one."""


class Ledger:
    """Keeps nothing: the story has no use for reports."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def nothing(*about: Any) -> None: ...

        return nothing


class Signer:
    """Signs what can be read."""

    def sign(self, claims: Mapping[str, object]) -> str:
        return f"permit for {claims['user_id']} as {claims['kind']}"


class TwiceRooms(LiveRooms):
    """Live rooms that hold each decision to being pure."""

    outside: Outside
    acts: set[str]
    relays: Callable[[], list[Work]]

    async def change(self, room_id: str, act: Act, decide: Decide[R], reserve: Reserve | None = None) -> Changed[R]:
        return await super().change(room_id, act, self._checked(room_id, act, decide), reserve)

    async def change_with_others(self, room_id: str, act: Act, decide: Decide[R]) -> Changed[R]:
        return await super().change_with_others(room_id, act, self._checked(room_id, act, decide))

    def _checked(self, room_id: str, act: Act, decide: Decide[R]) -> Decide[R]:
        def checked(room: Room, take_epoch: TakeEpoch) -> R:
            live = self.get(room_id)
            assert live is not None
            before, promised = copy.deepcopy(live.room), self.relays()
            self.outside.deciding = True
            try:
                first, second = self._outcome(live, decide), self._outcome(live, decide)
            finally:
                self.outside.deciding = False
            assert first == second, act.action
            assert live.room == before, act.action
            assert self.relays() == promised, act.action
            self.acts.add(act.action)
            return decide(room, take_epoch)

        return checked

    @staticmethod
    def _outcome(live: LiveRoom, decide: Decide[R]) -> tuple[object, Room, int]:
        room, epochs = live.room.draft(), live.epochs.draft()
        result: object
        try:
            result = decide(room, epochs.take)
        except DomainError as error:
            result = (type(error), error.reason)
        return result, room, epochs.take()


class House:
    """The use cases of the directory over a store in memory, with one relay."""

    def __init__(self, background: Background) -> None:
        self.outside = outside = Outside()
        self.clock, self.ids = GuardedClock(outside), GuardedIds(outside)
        self.announcer, self.counters = GuardedAnnouncer(outside), GuardedCounters(outside)
        self.store, self.relay = Store(), Relay()
        clock, limits, ended, blocks = self.clock, Limits(), EndedSignIns(), Blocks()
        announcer: Announcer = self.announcer
        dispatch = GuardedDispatch(outside, clock, background)
        self.rooms = TwiceRooms(self.store, announcer, dispatch, clock, self.counters, rules=Rules())
        self.rooms.outside, self.rooms.acts = outside, set()
        people, ledger = People(Source(), clock), Ledger()

        async def told(room_id: str, term: int, caption: Caption) -> None:
            outside.touched()

        self.fleet = Fleet(Memory(), lambda *_: self.relay, dispatch, self.rooms, ended, clock=clock, limits=limits)
        self.rooms.relays = lambda: [relay.reserved._total for relay in self.fleet.relays.values()]
        placing = Placing(self.rooms, self.fleet, Permits(Signer(), self.ids, clock, "hall", 15.0), clock)
        self.cases = RoomCases(
            self.rooms, self.store, self.fleet, people, blocks, ids=self.ids, clock=clock, limits=limits
        )
        self.seats = SeatCases(self.rooms, self.fleet, placing, blocks, clock=clock, counters=self.counters)
        self.stage = StageCases(self.rooms, placing, people, ids=self.ids, clock=clock, limits=limits)
        self.booths = BoothCases(self.rooms, placing, people, ids=self.ids, clock=clock)
        self.captions = CaptionCases(self.rooms, people, told, self.counters, clock=clock, limits=limits)
        self.moderation = ModerationCases(
            self.rooms, ledger, people, blocks, ended, ids=self.ids, clock=clock, limits=limits
        )
        self.listeners = self.fleet.listeners
        self.presence = Presence(
            self.rooms,
            self.fleet,
            people,
            announcer,
            ended,
            clock=clock,
            limits=limits,
            counters=self.counters,
        )

    async def open(self) -> str:
        """A room that Lina leads and in which Omar and Nadia listen."""
        await self.report_load()
        new = NewRoom(
            request_id="1",
            title="Stars",
            description="",
            language="en",
            visibility=Visibility.OPEN,
            hand_mode=HandMode.EVERYONE,
        )
        room_id = (await self.cases.create_room(LINA, new)).room_id
        for actor in (LINA, OMAR, NADIA):
            await self.seats.join_room(actor, room_id, "", without_permit=False)
            await self.session(room_id, actor, SessionState.PENDING)
            self.clock.advance(0.5)
            await self.session(room_id, actor, SessionState.UP)
        return room_id

    async def report_load(self, **changes: Any) -> None:
        await self.fleet.on_load(replace(RelayLoadState(RELAY, BOOT, "relay:1"), **changes))

    async def session(self, room_id: str, actor: Actor, state: SessionState) -> None:
        await self.presence.report_sessions(RELAY, BOOT, [(room_id, self.news(room_id, actor, state))])

    def news(self, room_id: str, actor: Actor, state: SessionState) -> SessionNews:
        live = self.rooms.get(room_id)
        assert live is not None
        epoch = live.room.seats[actor.user_id].epoch
        kind = MediaKind.STAGE if actor.user_id in live.room.stage else MediaKind.AUDIENCE
        return SessionNews(
            session_id=f"session{epoch}",
            user_id=actor.user_id,
            epoch=epoch,
            kind=kind,
            state=state,
            relay_id=RELAY,
            proof=actor.proof,
        )

    async def bring_up(self, room_id: str, actor: Actor) -> str:
        offer = await self.stage.offer_stage(LINA, room_id, actor.user_id)
        seated = await self.stage.accept_offer(actor, room_id, offer.offer_id)
        assert seated.permit is not None
        return seated.permit.token
