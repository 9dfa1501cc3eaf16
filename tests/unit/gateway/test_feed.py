"""One room's feed: order, gaps, slow readers and ends, without a network."""

import asyncio
from typing import Any

import pytest
from majlis.room_directory.v1 import room_events_pb2, room_pb2

from services.common.errors import PartUnavailable
from services.common.tasks import Background
from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import FellBehind, SeatEnded
from services.gateway.watch.feed import GAP_GRACE_SECONDS, OLD_AFTER_SECONDS, SILENCE_SECONDS, Feed
from services.gateway.watch.frames import of_fact
from services.gateway.watch.subscriber import LONGEST_WAIT_SECONDS, Subscriber
from tests.unit.gateway.uncaptioned import no_captions

ROOM = "room000000000001"


class Directory:
    """Gives the snapshot of the moment."""

    def __init__(self) -> None:
        self.revision = 10
        self.given = 0
        self.error: Exception | None = None
        self.state = room_pb2.ROOM_STATE_LIVE
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        revision = self.revision
        await self.open.wait()
        self.given += 1
        if self.error is not None:
            raise self.error
        snapshot = room_pb2.RoomSnapshot(room=room_pb2.Room(room_id=ROOM, state=self.state), revision=revision)
        return snapshot, room_pb2.HandQueue()


def person(user_id: str = "user000000000001", epoch: int = 5, limit: int = 100) -> Subscriber:
    access = AccessToken(user_id, "signin0000000001", False, None, 0, 0)
    return Subscriber(ROOM, access, epoch, limit)


def change(revision: int) -> room_events_pb2.MediaMoved:
    return room_events_pb2.MediaMoved(room_id=ROOM, revision=revision)


def pulse(revision: int, **values: Any) -> room_events_pb2.RoomPulse:
    return room_events_pb2.RoomPulse(room_id=ROOM, revision=revision, **values)


async def taken(subscriber: Subscriber) -> list[tuple[str, int]]:
    """Names and revisions of what waits for a reader, without what every stream begins with."""
    begins = ("own_hand", "stream_status")
    return [(frame.name, frame.revision) for frame in await subscriber.take() if frame.name not in begins]


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def feed(directory: Directory) -> Any:
    async with Background() as background:
        feed = Feed(ROOM, directory.fetch, 20, background, no_captions(background))
        yield feed
        feed.close()


async def test_events_before_the_snapshot_are_kept_and_those_in_it_are_dropped(
    feed: Feed, directory: Directory
) -> None:
    for revision in (9, 10, 11, 12):
        await feed.take(change(revision))
    reader = person()
    assert await feed.join(reader, None) == "snapshot"
    assert await taken(reader) == [("snapshot", 10), ("media_moved", 11), ("media_moved", 12)]


async def test_events_that_overtook_each_other_are_put_in_order(feed: Feed) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    for revision in (12, 13, 11):
        await feed.take(change(revision))
    assert await taken(reader) == [("media_moved", 11), ("media_moved", 12), ("media_moved", 13)]


async def test_an_event_that_comes_twice_is_sent_once(feed: Feed) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    await feed.take(change(11))
    await feed.take(change(11))
    await feed.take(change(12))
    assert await taken(reader) == [("media_moved", 11), ("media_moved", 12)]


async def test_a_gap_that_stays_becomes_a_snapshot_and_keeps_what_came_after(feed: Feed, directory: Directory) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    await feed.take(change(13))
    directory.revision = 12
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    assert await taken(reader) == [("snapshot", 12), ("media_moved", 13)]


async def test_a_gap_while_the_directory_is_away_is_closed_by_a_later_pulse(feed: Feed, directory: Directory) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    directory.error = PartUnavailable("away")
    await feed.take(pulse(11))
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    directory.error, directory.revision = None, 11
    await feed.take(pulse(11))
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    assert ("snapshot", 11) in await taken(reader)


async def test_a_pulse_never_claims_a_revision_its_readers_lack(feed: Feed) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    await feed.take(pulse(99, listener_count=3))
    assert await taken(reader) == [("pulse", 10)]


async def test_a_directory_that_went_back_in_time_is_believed_after_a_while(feed: Feed, directory: Directory) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    directory.revision = 4
    for _ in range(3):
        await feed.take(pulse(4))
    await asyncio.sleep(0.05)
    frames = await reader.take()
    assert [(frame.revision, frame.rewinds) for frame in frames if frame.name == "snapshot"] == [(4, True)]
    await feed.take(change(5))
    assert await taken(reader) == [("media_moved", 5)]


async def test_a_reader_of_another_gateway_learns_that_the_room_went_back(feed: Feed, directory: Directory) -> None:
    await feed.join(person(), None)
    far, near = person("user000000000002"), person("user000000000003")
    assert await feed.join(far, 900) == "snapshot"
    frames = await far.take()
    assert [(frame.name, frame.revision, frame.rewinds) for frame in frames[:1]] == [("snapshot", 10, True)]
    assert b'"rewound":true' in frames[0].sse
    # So little more than the gateway knows may be its own bus being late: it is looked up before it is believed.
    assert await feed.join(near, 12) == "resumed"
    await near.take()
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    frames = await near.take()
    assert [(frame.name, frame.revision, frame.rewinds) for frame in frames] == [("snapshot", 10, True)]


async def test_a_newcomer_gets_the_room_as_it_is_and_nothing_that_happened_before(
    feed: Feed, directory: Directory
) -> None:
    await feed.join(person(), None)
    for revision in (11, 12, 13):
        await feed.take(change(revision))
    directory.revision = 13
    late = person("user000000000002")
    await feed.join(late, None)
    frames = [frame for frame in await late.take() if frame.name != "own_hand"]
    assert [(frame.name, frame.revision) for frame in frames] == [("snapshot", 13), ("stream_status", 13)]


async def test_who_comes_from_joining_the_room_gets_neither_snapshot_nor_past(feed: Feed, directory: Directory) -> None:
    await feed.join(person(), None)
    for revision in (11, 12, 13):
        await feed.take(change(revision))
    crowd = [person(f"user{number:012d}") for number in range(50)]
    for reader in crowd:
        await feed.join(reader, 12)
    assert [frame.name for frame in await crowd[-1].take()] == ["media_moved", "own_hand", "stream_status"]
    assert directory.given == 1


async def test_newcomers_while_things_happen_share_one_fetch_and_nobody_else_is_sent_it(
    feed: Feed, directory: Directory
) -> None:
    reader = person()
    await feed.join(reader, None)
    await feed.take(change(11))
    await reader.take()
    directory.revision = 12
    directory.open.clear()
    joins = [asyncio.ensure_future(feed.join(person(f"user{n:012d}"), None)) for n in range(50)]
    await asyncio.sleep(0.01)
    await feed.take(change(12))
    directory.open.set()
    await asyncio.gather(*joins)
    assert directory.given == 2
    assert await taken(reader) == [("media_moved", 12)]


async def test_no_reader_is_sent_again_what_it_has(feed: Feed, directory: Directory) -> None:
    await feed.join(person(), None)
    quick = person("user000000000002")
    await feed.join(quick, 12)
    for revision in (11, 12, 13):
        await feed.take(change(revision))
    assert await taken(quick) == [("media_moved", 13)]
    directory.revision = 13
    await feed.refresh()
    await feed.take(pulse(13))
    assert await taken(quick) == [("pulse", 13)]


async def test_a_silent_bus_is_made_up_for_by_asking_the_directory(feed: Feed, directory: Directory) -> None:
    reader, other = person(), person("user000000000002")
    await feed.join(reader, None)
    await feed.join(other, None)
    await reader.take()
    now = asyncio.get_running_loop().time()
    assert not feed.wants_a_look(now + SILENCE_SECONDS - 0.5)
    assert feed.wants_a_look(now + SILENCE_SECONDS + 0.5)
    directory.revision = 14
    await feed.look()
    assert await taken(reader) == [("snapshot", 14), ("pulse", 14)]
    assert directory.given == 2
    # The next look comes after a pause, though the bus is as silent as before.
    assert not feed.wants_a_look(asyncio.get_running_loop().time())


async def test_a_room_that_nobody_watches_is_not_looked_at(feed: Feed) -> None:
    await feed.refresh()
    assert not feed.wants_a_look(asyncio.get_running_loop().time() + 100)


async def test_a_room_whose_reader_asks_from_time_to_time_is_looked_at_until_it_stays_away(feed: Feed) -> None:
    reader = person()
    await feed.join(reader, None)
    feed.subscribers.discard(reader)
    now = asyncio.get_running_loop().time()
    assert feed.wants_a_look(now + SILENCE_SECONDS + 0.5)
    assert not feed.wants_a_look(now + 30)


async def test_readers_are_told_when_what_they_see_may_be_old_and_when_it_is_not(
    feed: Feed, directory: Directory
) -> None:
    reader = person()
    await feed.join(reader, None)
    assert b"mayBeOld" not in (await reader.take())[-1].sse
    now = asyncio.get_running_loop().time()
    directory.error = PartUnavailable("away")
    await feed.look()
    feed.tell_standing(now + OLD_AFTER_SECONDS + 0.5)
    assert b'"mayBeOld":true' in (await reader.take())[0].sse
    late = person("user000000000002")
    await feed.join(late, 10)
    assert b'"mayBeOld":true' in (await late.take())[-1].sse
    await feed.take(pulse(10))
    feed.tell_standing(asyncio.get_running_loop().time())
    assert [frame.name for frame in await reader.take()] == ["pulse", "stream_status"]


async def test_after_a_restart_a_reader_that_lacks_nothing_gets_no_snapshot(feed: Feed, directory: Directory) -> None:
    reader, late = person(), person("user000000000002")
    assert await feed.join(reader, 10) == "resumed"
    await feed.take(change(11))
    assert await taken(reader) == [("media_moved", 11)]
    directory.revision = 11
    assert await feed.join(late, 7) == "snapshot"
    assert await taken(late) == [("snapshot", 11)]


async def test_an_answer_that_overtakes_the_bus_is_no_gap(feed: Feed, directory: Directory) -> None:
    await feed.join(person(), None)
    quick = person("user000000000002")
    assert await feed.join(quick, 12) == "resumed"
    assert directory.given == 1


async def test_the_snapshot_is_fetched_anew_when_the_ring_left_it_behind(feed: Feed, directory: Directory) -> None:
    await feed.join(person(), None)
    for revision in range(11, 40):
        await feed.take(change(revision))
    directory.revision = 39
    late = person("user000000000002")
    await feed.join(late, None)
    assert await taken(late) == [("snapshot", 39)]
    assert directory.given == 2


async def test_many_who_come_at_once_share_one_fetch(feed: Feed, directory: Directory) -> None:
    directory.open.clear()
    joins = [asyncio.ensure_future(feed.join(person(f"user{n:012d}"), None)) for n in range(50)]
    await asyncio.sleep(0.01)
    directory.open.set()
    assert set(await asyncio.gather(*joins)) == {"snapshot"}
    assert directory.given == 1


async def test_a_snapshot_that_cannot_be_had_is_told_to_all_who_wait(feed: Feed, directory: Directory) -> None:
    directory.error = PartUnavailable("away")
    results = await asyncio.gather(*(feed.join(person(), None) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [PartUnavailable] * 3
    assert not feed.subscribers


async def test_a_room_that_ended_while_the_bus_was_away_ends_its_streams(feed: Feed, directory: Directory) -> None:
    reader = person()
    await feed.join(reader, None)
    directory.state, directory.revision = room_pb2.ROOM_STATE_ENDED, 15
    await feed.refresh()
    assert [name for name, _ in await taken(reader)][-1] == "snapshot"
    assert await reader.take() == []
    assert feed.is_over


async def test_a_slow_reader_is_ended_and_the_others_are_not(feed: Feed) -> None:
    slow, quick = person(limit=3), person("user000000000002")
    await feed.join(slow, None)
    await feed.join(quick, None)
    for revision in range(11, 20):
        await feed.take(change(revision))
        await quick.take()
    assert isinstance(slow.why, FellBehind)
    assert await slow.take() == []
    assert not quick.ended


async def test_a_reader_that_takes_nothing_for_long_is_ended_though_its_queue_has_room(feed: Feed) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    frame = of_fact(pulse(10))
    reader.push(frame, now=100.0)
    reader.push(frame, now=100.0 + LONGEST_WAIT_SECONDS - 0.1)
    assert not reader.ended
    reader.push(frame, now=100.0 + LONGEST_WAIT_SECONDS + 0.1)
    assert isinstance(reader.why, FellBehind)


async def test_nothing_overtakes_frames_that_are_on_their_way(feed: Feed) -> None:
    reader, written = person(), []
    reader.sink = lambda frame: not written.append(frame.revision)  # type: ignore[func-returns-value]
    await feed.join(reader, None)
    await reader.take()
    await feed.take(change(11))
    assert written == []
    waiting = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    assert [frame.revision for frame in await waiting] == [11]
    waiting = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    await feed.take(change(12))
    assert written == [12]
    waiting.cancel()


async def test_only_an_older_seat_of_the_same_person_ends_by_a_takeover(feed: Feed) -> None:
    old, new, other = person(epoch=5), person(epoch=6), person("user000000000002", epoch=1)
    for reader in (old, new, other):
        await feed.join(reader, None)
    taken_over = room_events_pb2.SeatTakenOver(room_id=ROOM, revision=11, user_id="user000000000001", epoch=6)
    await feed.take(taken_over)
    assert isinstance(old.why, SeatEnded)
    assert not new.ended
    assert not other.ended
