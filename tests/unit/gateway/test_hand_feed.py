"""Who is told what of the hand queue: moderators all of it, everybody their own place, and nobody else's question."""

import asyncio
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import room_events_pb2 as pb
from majlis.room_directory.v1 import room_pb2

from services.common.tasks import Background
from services.common.trust.tokens import AccessToken
from services.gateway.watch.feed import GAP_GRACE_SECONDS, Feed
from services.gateway.watch.hands import PLACES_SECONDS
from services.gateway.watch.subscriber import Subscriber
from tests.unit.gateway.uncaptioned import no_captions

ROOM = "room000000000001"
LINA, OMAR, NADIA, SANA = "lina", "omar", "nadia", "sana"
QUESTION = "Why is the sky dark?"


def hand(user_id: str, question: str = QUESTION, **values: Any) -> room_pb2.Hand:
    person = account_pb2.Profile(user_id=user_id, display_name=user_id.title())
    return room_pb2.Hand(person=person, question=question, language="ar", **values)


def raised(queue_revision: int, user_id: str, position: int, revision: int = 10, **values: Any) -> pb.HandRaised:
    return pb.HandRaised(
        room_id=ROOM, revision=revision, queue_revision=queue_revision, hand=hand(user_id, **values),
        position=position, hand_count=position,
    )  # fmt: skip


def lowered(queue_revision: int, user_id: str, cause: Any = room_pb2.HAND_CAUSE_LOWERED) -> pb.HandLowered:
    return pb.HandLowered(room_id=ROOM, revision=10, queue_revision=queue_revision, user_id=user_id, cause=cause)


def seat(user_id: str, role: Any) -> room_pb2.StageSeat:
    return room_pb2.StageSeat(person=account_pb2.Profile(user_id=user_id), role=role)


class Directory:
    """A room that Lina leads and where Sana speaks, as the directory has it."""

    def __init__(self) -> None:
        self.revision = 10
        self.queue = room_pb2.HandQueue(queue_revision=3)
        self.stage = [seat(LINA, room_pb2.ROLE_MODERATOR), seat(SANA, room_pb2.ROLE_SPEAKER)]
        self.asked = 0

    async def fetch(self) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        self.asked += 1
        queue = room_pb2.HandQueue()
        queue.CopyFrom(self.queue)
        return room_pb2.RoomSnapshot(revision=self.revision, stage=self.stage), queue


class Hall:
    """The feed of that room, with readers."""

    def __init__(self, background: Background) -> None:
        self.directory = Directory()
        self.feed = Feed(ROOM, self.directory.fetch, 20, background, no_captions(background))

    async def watch(self, user_id: str, scopes: frozenset[str] | None = None) -> Subscriber:
        """A stream that has taken what it began with."""
        reader = await self.open(user_id, scopes)
        await reader.take()
        return reader

    async def open(self, user_id: str, scopes: frozenset[str] | None = None, after: int | None = 10) -> Subscriber:
        reader = Subscriber(ROOM, AccessToken(user_id, "signin", False, scopes, 0, 0), 1, 1000)
        await self.feed.join(reader, after)
        return reader


@pytest.fixture
async def hall() -> Any:
    async with Background() as background:
        hall = Hall(background)
        yield hall
        hall.feed.close()


async def events(reader: Subscriber) -> list[pb.RoomEvent]:
    """What a reader has now, as it reads it; nothing where nothing waits."""
    taken = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if not taken.done():
        taken.cancel()
        return []
    # Field 1 of WatchResponse, length-delimited: one byte of tag, then the length.
    return [_event_of(frame.watch) for frame in taken.result()]


def _event_of(message: bytes) -> pb.RoomEvent:
    at = 1
    while message[at] & 0x80:
        at += 1
    return pb.RoomEvent.FromString(message[at + 1 :])


async def told(reader: Subscriber) -> list[str]:
    return [event.WhichOneof("event") or "" for event in await events(reader)]


async def test_a_hand_reaches_every_moderator_with_person_question_and_language_and_nobody_is_asked(
    hall: Hall,
) -> None:
    hall.directory.stage.append(seat(NADIA, room_pb2.ROLE_MODERATOR))
    moderators = [await hall.watch(LINA), await hall.watch(NADIA)]
    await hall.feed.take(raised(4, OMAR, 1))
    for moderator in moderators:
        (event,) = await events(moderator)
        got = event.hand_raised
        assert (got.hand.person.display_name, got.hand.question, got.hand.language) == ("Omar", QUESTION, "ar")
        assert (got.position, event.revision) == (1, 10)
    assert hall.directory.asked == 1


async def test_no_stream_of_a_listener_or_speaker_ever_carries_anothers_question(hall: Hall) -> None:
    listener, speaker, raiser = await hall.open(NADIA, after=None), await hall.open(SANA), await hall.open(OMAR)
    hall.directory.queue.hands.append(hand("guest", QUESTION))
    hall.directory.queue.queue_revision = 5
    await hall.feed.take(raised(4, OMAR, 1, question="my own"))
    await hall.feed.take(raised(5, "guest", 2))
    await hall.feed.take(lowered(6, "guest"))
    await hall.feed.take(pb.RoomPulse(room_id=ROOM, revision=10, hand_count=1, queue_revision=9))
    await hall.feed.refresh()
    await asyncio.sleep(PLACES_SECONDS + GAP_GRACE_SECONDS)
    late = await hall.open(NADIA, after=None)
    for reader in (listener, speaker, raiser, late):
        for frame in await reader.take():
            assert QUESTION.encode() not in frame.sse
            assert QUESTION.encode() not in frame.watch
            assert frame.name not in ("hand_queue", "hand_raised", "hand_lowered")


async def test_a_moderators_stream_begins_with_the_whole_queue_however_it_is_resumed(hall: Hall) -> None:
    hall.directory.queue.hands.extend([hand(OMAR), hand(NADIA, "And why is the grass green?")])
    for after in (None, 10, 4):
        first = await events(await hall.open(LINA, after=after))
        (queue,) = [event.hand_queue for event in first if event.HasField("hand_queue")]
        assert [each.person.user_id for each in queue.hands] == [OMAR, NADIA]
        assert first[-1].HasField("stream_status")


async def test_who_becomes_a_moderator_has_the_queue_at_once_and_who_no_longer_is_one_learns_nothing_more(
    hall: Hall,
) -> None:
    hall.directory.queue.hands.append(hand(OMAR))
    sana = await hall.watch(SANA)
    await hall.feed.take(pb.StageSeatChanged(room_id=ROOM, revision=11, seat=seat(SANA, room_pb2.ROLE_MODERATOR)))
    await hall.feed.take(raised(4, NADIA, 2, revision=11))
    assert await told(sana) == ["stage_seat_changed", "hand_queue", "hand_raised"]
    await hall.feed.take(pb.StageSeatChanged(room_id=ROOM, revision=12, seat=seat(SANA, room_pb2.ROLE_SPEAKER)))
    await hall.feed.take(raised(5, "guest", 3, revision=12))
    await hall.feed.take(lowered(6, "guest"))
    assert await told(sana) == ["stage_seat_changed"]


async def test_a_hand_waits_for_the_news_of_who_moderates_that_came_before_it(hall: Hall) -> None:
    lina, sana = await hall.watch(LINA), await hall.watch(SANA)
    await hall.feed.take(raised(4, OMAR, 1, revision=11))
    assert await told(lina) == []
    await hall.feed.take(pb.StageLeft(room_id=ROOM, revision=11, user_id=LINA))
    assert await told(lina) == ["stage_left"]
    assert await told(sana) == ["stage_left"]


async def test_a_token_that_may_only_listen_is_not_sent_the_queue_although_its_person_moderates(hall: Hall) -> None:
    hall.directory.queue.hands.append(hand(OMAR))
    reader = await hall.open(LINA, frozenset({"listen"}))
    assert "hand_queue" not in await told(reader)
    await hall.feed.take(raised(4, NADIA, 2))
    assert await told(reader) == []
    assert "hand_queue" in await told(await hall.open(LINA, frozenset({"listen", "rooms"})))


async def test_the_queue_is_whole_again_after_changes_of_it_were_lost(hall: Hall) -> None:
    lina = await hall.watch(LINA)
    hall.directory.queue = room_pb2.HandQueue(queue_revision=5, hands=[hand(OMAR), hand(NADIA)])
    await hall.feed.take(raised(5, NADIA, 2))
    assert await told(lina) == []
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    (event,) = await events(lina)
    assert [each.person.user_id for each in event.hand_queue.hands] == [OMAR, NADIA]
    await hall.feed.take(raised(6, "guest", 3))
    assert await told(lina) == ["hand_raised"]


async def test_the_last_change_that_was_lost_is_noticed_by_the_next_pulse(hall: Hall) -> None:
    lina = await hall.watch(LINA)
    hall.directory.queue = room_pb2.HandQueue(queue_revision=4, hands=[hand(OMAR)])
    await hall.feed.take(pb.RoomPulse(room_id=ROOM, revision=10, hand_count=1, queue_revision=4))
    await asyncio.sleep(GAP_GRACE_SECONDS + 0.1)
    assert await told(lina) == ["pulse", "hand_queue"]


async def test_a_queue_that_went_back_with_a_restored_directory_is_believed_and_says_so(hall: Hall) -> None:
    lina, omar = await hall.watch(LINA), await hall.watch(OMAR)
    await hall.feed.take(raised(4, OMAR, 1))
    await events(lina)
    hall.directory.queue = room_pb2.HandQueue(queue_revision=2)
    for _ in range(3):
        await hall.feed.take(pb.RoomPulse(room_id=ROOM, revision=10, queue_revision=2))
    await asyncio.sleep(0.1)
    (whole,) = [event for event in await events(lina) if event.HasField("hand_queue")]
    assert (list(whole.hand_queue.hands), whole.rewound) == ([], True)
    (down,) = [event for event in await events(omar) if event.HasField("own_hand")]
    assert (down.own_hand.HasField("hand"), down.rewound) == (False, True)


async def test_the_raiser_is_told_the_new_place_when_those_before_go_and_nobody_else_is(hall: Hall) -> None:
    omar, nadia, sana = await hall.watch(OMAR), await hall.watch(NADIA), await hall.watch(SANA)
    await hall.feed.take(raised(4, OMAR, 1))
    await hall.feed.take(raised(5, NADIA, 2))
    await asyncio.sleep(PLACES_SECONDS)
    (first,) = await events(nadia)
    assert (first.own_hand.position, first.own_hand.hand.question) == (2, QUESTION)
    await hall.feed.take(lowered(6, OMAR))
    await asyncio.sleep(PLACES_SECONDS)
    (second,) = await events(nadia)
    assert (second.own_hand.position, second.own_hand.queue_revision) == (1, 6)
    assert len(await events(omar)) == 2
    assert await told(sana) == []


async def test_places_are_told_once_a_second_at_most_however_many_go(hall: Hall) -> None:
    last = await hall.watch(OMAR)
    hall.directory.queue = room_pb2.HandQueue(
        queue_revision=4, hands=[*(hand(f"guest{number}") for number in range(100)), hand(OMAR)]
    )
    await hall.feed.refresh()
    await asyncio.sleep(0.1)
    assert [event.own_hand.position for event in await events(last)] == [101]
    for number in range(100):
        await hall.feed.take(lowered(5 + number, f"guest{number}"))
        await asyncio.sleep(0.01)
    await asyncio.sleep(PLACES_SECONDS)
    places = [event.own_hand.position for event in await events(last)]
    assert len(places) <= 3
    assert places[-1] == 1


async def test_whose_hand_fell_is_told_at_once_why(hall: Hall) -> None:
    omar, nadia = await hall.watch(OMAR), await hall.watch(NADIA)
    await hall.feed.take(raised(4, OMAR, 1))
    await hall.feed.take(raised(5, NADIA, 2))
    await hall.feed.take(lowered(6, OMAR, room_pb2.HAND_CAUSE_EXPIRED))
    (event,) = await events(omar)
    assert (event.own_hand.HasField("hand"), event.own_hand.cause) == (False, room_pb2.HAND_CAUSE_EXPIRED)
    await hall.feed.take(lowered(7, "", room_pb2.HAND_CAUSE_HANDS_OFF))
    assert [each.own_hand.cause for each in await events(nadia)] == [room_pb2.HAND_CAUSE_HANDS_OFF]


async def test_a_hand_that_is_taken_up_again_goes_back_to_its_place(hall: Hall) -> None:
    for number, user_id in enumerate((OMAR, NADIA, "guest"), start=1):
        await hall.feed.take(raised(3 + number, user_id, number))
    await hall.watch(SANA)
    await hall.feed.take(lowered(7, NADIA, room_pb2.HAND_CAUSE_DISMISSED))
    await hall.feed.take(raised(8, NADIA, 2))
    first = await events(await hall.open(LINA))
    (queue,) = [event.hand_queue for event in first if event.HasField("hand_queue")]
    assert [each.person.user_id for each in queue.hands] == [OMAR, NADIA, "guest"]


async def test_time_that_runs_or_stands_still_is_told_to_moderators_and_to_whose_hand_is_up(hall: Hall) -> None:
    hall.directory.queue.hands.append(hand(OMAR, time_left=Duration(seconds=60)))
    lina, omar, sana = await hall.watch(LINA), await hall.watch(OMAR), await hall.watch(SANA)
    await asyncio.sleep(PLACES_SECONDS)
    await events(omar)
    since = Timestamp(seconds=1000)
    await hall.feed.take(pb.HandsAttended(room_id=ROOM, revision=10, queue_revision=4, attended=True, since=since))
    await asyncio.sleep(PLACES_SECONDS)
    (whole,) = await events(lina)
    (own,) = await events(omar)
    assert whole.hand_queue.hands[0].expires_at.seconds == own.own_hand.hand.expires_at.seconds == 1060
    since = Timestamp(seconds=1020)
    await hall.feed.take(pb.HandsAttended(room_id=ROOM, revision=10, queue_revision=5, attended=False, since=since))
    await asyncio.sleep(PLACES_SECONDS)
    (own,) = await events(omar)
    assert (own.own_hand.hand.time_left.seconds, own.own_hand.hand.HasField("expires_at")) == (40, False)
    assert await told(sana) == []


async def test_every_stream_begins_with_the_own_hand_for_an_answer_may_have_been_missed(hall: Hall) -> None:
    hall.directory.queue.hands.extend([hand(OMAR), hand(NADIA)])
    (up,) = [event.own_hand for event in await events(await hall.open(NADIA)) if event.HasField("own_hand")]
    assert (up.position, up.queue_revision) == (2, 3)
    (down,) = [event.own_hand for event in await events(await hall.open(SANA)) if event.HasField("own_hand")]
    assert (down.HasField("hand"), down.queue_revision) == (False, 3)


def counted(**rungs: int) -> pb.RoomPulse:
    return pb.RoomPulse(room_id=ROOM, revision=10, queue_revision=3, rungs=room_pb2.ListenerRungs(**rungs))


async def test_by_which_way_people_hear_is_told_to_moderators_alone_and_when_it_changes(hall: Hall) -> None:
    lina, omar, sana = [await hall.watch(name) for name in (LINA, OMAR, SANA)]
    await hall.feed.take(counted(udp=7, https=2))
    rungs, pulse = await events(lina)
    assert rungs.listener_rungs == room_pb2.ListenerRungs(udp=7, https=2)
    assert not pulse.pulse.HasField("rungs")
    for reader in (omar, sana):
        (only,) = await events(reader)
        assert not only.pulse.HasField("rungs")
    await hall.feed.take(counted(udp=7, https=2))
    assert await told(lina) == []
    await hall.feed.take(pb.RoomPulse(room_id=ROOM, revision=10, queue_revision=3, listener_count=9))
    assert await told(lina) == ["pulse"], "a pulse that says nothing of it changes nothing"


async def test_who_begins_to_moderate_or_comes_back_is_told_by_which_way_people_hear(hall: Hall) -> None:
    sana = await hall.watch(SANA)
    await hall.feed.take(counted(tcp=3))
    await events(sana)
    await hall.feed.take(pb.StageSeatChanged(room_id=ROOM, revision=11, seat=seat(SANA, room_pb2.ROLE_MODERATOR)))
    assert [each.listener_rungs.tcp for each in await events(sana) if each.HasField("listener_rungs")] == [3]
    lina = await hall.open(LINA, after=11)
    assert "listener_rungs" in await told(lina)
    listening_only = await hall.open(LINA, frozenset({"listen"}), after=11)
    assert "listener_rungs" not in await told(listening_only)
