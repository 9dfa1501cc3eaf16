"""Changing a room: kept whole, told once, decided again after a conflict."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from services.common.errors import Conflict, StorageUnavailable
from services.common.tasks import Background
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.epochs import SPARE, Epochs
from services.room_directory.app.live import PACE_SECONDS, LiveRooms, TakeEpoch
from services.room_directory.app.ports import Act, Deed, Pulse
from services.room_directory.domain import hands
from services.room_directory.domain.entry import take_seat
from services.room_directory.domain.errors import NotAllowed, RoomEnded, RoomNotFound
from services.room_directory.domain.events import Fact, HandRaised
from services.room_directory.domain.events import RoomEnded as RoomIsOver
from services.room_directory.domain.moderation import end_room
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Downgrade, Rungs
from services.room_directory.domain.seats import Rules
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.rooms import Hall
from tests.unit.room_directory.test_dispatch import Latency

ACT = Act("lina", "test", "room000000000001")
OMAR = Actor("omar")


class Store:
    """Rooms in memory; another writer may come between once or always."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.ceilings: dict[str, int] = {}
        self.saves = 0
        self.others: list[Room] = []
        self.deeds: list[Deed] = []
        self.full = False
        self.open = asyncio.Event()
        self.open.set()

    async def load_live(self) -> list[tuple[Room, int]]:
        return [(room.draft(), self.ceilings[room_id]) for room_id, room in self.rooms.items()]

    async def load(self, room_id: str) -> Room | None:
        room = self.rooms.get(room_id)
        return room.draft() if room else None

    async def find_request(self, creator_id: str, request_id: str) -> str | None:
        return None

    async def create(self, room: Room, epoch_ceiling: int, act: Act) -> None:
        self.rooms[room.room_id], self.ceilings[room.room_id] = room.draft(), epoch_ceiling

    async def save(self, before: Room, room: Room, deeds: Sequence[Deed]) -> None:
        await self.open.wait()
        if self.full:
            raise StorageUnavailable
        self.deeds += deeds
        if self.others:
            self.rooms[room.room_id] = self.others.pop(0)
        if self.rooms[room.room_id].version != before.version:
            raise Conflict
        self.saves += 1
        self.rooms[room.room_id] = room.draft()

    async def reserve_epochs(self, room_id: str, ceiling: int) -> None:
        self.ceilings[room_id] = ceiling


class Announcer:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def tell(self, facts: Iterable[Fact]) -> None:
        self.facts.extend(facts)

    def pulse(self, pulse: Pulse) -> None:
        raise AssertionError("nobody pulses here")


class Counters:
    """Remembers which actions were written."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def joined(self, result: str, user_id: str) -> None:
        raise AssertionError("nobody joins through a use case here")

    def sounding(self, seconds: float) -> None:
        raise AssertionError("nobody listens here")

    def downgraded(self, why: Downgrade) -> None:
        raise AssertionError("nobody listens here")

    def rungs(self, rungs: Rungs) -> None:
        raise AssertionError("nobody counts here")

    def changed(self, action: str) -> None:
        self.actions.append(action)

    def captioned(self, result: str) -> None:
        raise AssertionError("nobody writes here")

    def told(self, facts: Sequence[Fact]) -> None:
        pass

    def counted(self, *, rooms: int, listeners: int, hands: int, booths: int, interpreting: int, silent: int) -> None:
        raise AssertionError("nobody counts here")


class House:
    """Live rooms over a store in memory, with one room in which Omar listens."""

    async def open(self) -> "House":
        self.store, self.announcer, self.counters, self.clock = Store(), Announcer(), Counters(), FakeClock()
        dispatch = Dispatch(self.clock, Latency(), Background())
        self.rooms = LiveRooms(self.store, self.announcer, dispatch, self.clock, self.counters, rules=Rules())
        self.room_id = Hall().room.room_id
        await self.rooms.add(Hall().room, Epochs(2, 200_000), ACT)
        await self.rooms.change(
            self.room_id,
            ACT,
            lambda room, take: take_seat(room, OMAR, "", blocked=False, epoch=take(), now=self.clock.now()),
        )
        self.announcer.facts.clear()
        return self

    async def join(self, name: str) -> None:
        def decide(room: Room, take: TakeEpoch) -> None:
            take_seat(room, Actor(name), "", blocked=False, epoch=take(), now=self.clock.now())

        await self.rooms.change(self.room_id, ACT, decide)

    async def raise_with_others(self, name: str) -> None:
        act = Act(name, "raise_hand", self.room_id, goes_on=True)
        await self.rooms.change_with_others(
            self.room_id, act, lambda room, _: hands.raise_hand(room, Actor(name), "", self.clock.now())
        )

    async def raise_hand(self) -> None:
        await self.rooms.change(self.room_id, ACT, lambda room, _: hands.raise_hand(room, OMAR, "", self.clock.now()))


async def test_a_refused_change_is_neither_written_nor_told() -> None:
    house = await House().open()
    with pytest.raises(NotAllowed):
        await house.rooms.change(house.room_id, ACT, lambda room, _: end_room(room, OMAR, house.clock.now()))
    assert not house.announcer.facts
    assert house.store.saves == 0


async def test_a_listener_who_comes_in_is_kept_in_memory_only() -> None:
    house = await House().open()
    live = house.rooms.get(house.room_id)
    assert live is not None
    assert live.room.listener_count() == 1
    assert house.store.saves == 0


async def test_a_change_that_loses_against_another_writer_is_decided_again_on_what_that_one_wrote() -> None:
    house = await House().open()
    other = house.store.rooms[house.room_id].draft()
    other.version, other.title = other.version + 1, "Renamed elsewhere"
    house.store.others = [other]
    await house.raise_hand()
    live = house.rooms.get(house.room_id)
    assert live is not None
    assert (live.room.title, list(live.room.hands)) == ("Renamed elsewhere", ["omar"])
    assert live.room.listener_count() == 1
    assert [type(fact) for fact in house.announcer.facts] == [HandRaised]


async def test_hands_that_go_up_together_are_written_as_one_and_told_one_after_the_other() -> None:
    house = await House().open()
    crowd = [f"guest{number}" for number in range(20)]
    for name in crowd:
        await house.join(name)
    await asyncio.gather(*(house.raise_with_others(name) for name in crowd))
    live = house.rooms.get(house.room_id)
    assert live is not None
    assert list(live.room.hands) == list(house.store.rooms[house.room_id].hands) == crowd
    # The first did not wait; all that came while it was written went together.
    assert house.store.saves == 2
    raised = [fact for fact in house.announcer.facts if isinstance(fact, HandRaised)]
    assert [(fact.hand.user_id, fact.position) for fact in raised] == [(name, at + 1) for at, name in enumerate(crowd)]
    assert [deed.facts for deed in house.store.deeds] == [("HandRaised",)] * 20


async def test_one_who_is_refused_does_not_keep_the_others_from_theirs() -> None:
    house = await House().open()
    await house.join("nadia")
    results = await asyncio.gather(
        *(house.raise_with_others(name) for name in ("omar", "stranger", "nadia")), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), NotAllowed, type(None)]
    assert list(house.store.rooms[house.room_id].hands) == ["omar", "nadia"]


async def test_a_caller_that_goes_away_while_it_writes_for_all_leaves_the_others_theirs() -> None:
    house = await House().open()
    await house.join("nadia")
    house.store.open.clear()
    first, second = (asyncio.ensure_future(house.raise_with_others(name)) for name in ("omar", "nadia"))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    house.store.open.set()
    await second
    assert "nadia" in house.store.rooms[house.room_id].hands


async def test_hands_that_come_after_a_write_wait_a_moment_for_others() -> None:
    house = await House().open()
    for name in ("nadia", "yusuf"):
        await house.join(name)
    await house.raise_with_others("omar")
    later = [asyncio.ensure_future(house.raise_with_others("nadia"))]
    await asyncio.sleep(PACE_SECONDS / 2)
    assert not later[0].done()
    later.append(asyncio.ensure_future(house.raise_with_others("yusuf")))
    await asyncio.gather(*later)
    assert house.store.saves == 2


async def test_hands_that_lose_against_another_writer_are_decided_again_all_of_them() -> None:
    house = await House().open()
    await house.join("nadia")
    other = house.store.rooms[house.room_id].draft()
    other.version, other.title = other.version + 1, "Renamed elsewhere"
    house.store.others = [other]
    await asyncio.gather(*(house.raise_with_others(name) for name in ("omar", "nadia")))
    live = house.rooms.get(house.room_id)
    assert live is not None
    assert (live.room.title, list(live.room.hands)) == ("Renamed elsewhere", ["omar", "nadia"])
    assert [type(fact) for fact in house.announcer.facts] == [HandRaised, HandRaised]


async def test_a_change_that_always_loses_gives_up_and_says_so() -> None:
    house = await House().open()
    base = house.store.rooms[house.room_id]
    for number in range(1, 10):
        other = base.draft()
        other.version = base.version + number
        house.store.others.append(other)
    with pytest.raises(Conflict):
        await house.raise_hand()
    assert not house.announcer.facts


async def test_a_room_that_ended_is_told_once_and_then_gone() -> None:
    house = await House().open()
    end = lambda room, _: end_room(room, Actor("lina"), house.clock.now())  # noqa: E731
    await house.rooms.change(house.room_id, ACT, end)
    assert [type(fact) for fact in house.announcer.facts] == [RoomIsOver]
    with pytest.raises(RoomEnded):
        await house.rooms.change(house.room_id, ACT, end)
    with pytest.raises(RoomNotFound):
        await house.rooms.find("room000000000009")
    assert await house.rooms.is_over(house.room_id)


async def test_epochs_are_reserved_before_they_are_used_after_a_restart() -> None:
    house = await House().open()
    again = LiveRooms(
        house.store, house.announcer, Dispatch(house.clock, Latency(), Background()), house.clock, house.counters,
        rules=Rules(),
    )  # fmt: skip
    await again.load()
    live = again.get(house.room_id)
    assert live is not None
    assert live.epochs.take() == 200_000 + SPARE
    assert house.store.ceilings[house.room_id] > 200_000
