"""The captions of a room at the gateway: who gets what, how often, and what is learnt from whom; without a network."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from majlis.gateway.v1 import caption_stream_service_pb2
from majlis.room_directory.v1 import caption_pb2

from services.common.errors import PartUnavailable
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import SeatEnded
from services.gateway.watch.caption_track import (
    KEPT_SECONDS,
    MOST_KEPT,
    UNFINISHED_SECONDS,
    Batch,
    CaptionTrack,
    micros,
    wall,
)
from services.gateway.watch.captions import GATHER_SECONDS, CaptionFeed, CaptionMetrics, CaptionReader, Watched

ROOM = "room000000000001"
METRICS = CaptionMetrics(Metrics("gateway"))


def caption(text: str, caption_id: str = "1", *, at: float = 0.0, began: float | None = None, **how: Any) -> Any:
    """A caption that changed so many seconds from now."""
    message = caption_pb2.Caption(caption_id=caption_id, writer_id="omar", language="en", text=text, **how)
    now = wall()
    message.changed_at.FromMicroseconds(int((now + at) * 1e6))
    message.began_at.FromMicroseconds(int((now + (at if began is None else began)) * 1e6))
    return message


class Directory:
    """Answers with what it has, as an owner of a term."""

    def __init__(self) -> None:
        self.has: list[caption_pb2.Caption] = []
        self.term = 1
        self.told: list[list[str]] = []
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def sync(self, _language: str, known: list[caption_pb2.Caption]) -> tuple[list[caption_pb2.Caption], int]:
        self.told.append([each.text for each in known])
        await self.open.wait()
        if self.away:
            raise PartUnavailable("away", retry_after_seconds=1.0)
        return self.has, self.term


class Scene:
    """A feed and its directory."""

    def __init__(self, background: Background) -> None:
        self.directory = Directory()
        self.feed = CaptionFeed(ROOM, self.directory.sync, background, METRICS)

    async def reader(self, language: str = "en", after: int = 0) -> CaptionReader:
        access = AccessToken("nadia", "signin0000000001", False, None, 0, 0)
        reader = CaptionReader(ROOM, language, access, epoch=1, after=after, metrics=METRICS)
        await self.feed.join(reader)
        return reader

    async def tell(self, message: caption_pb2.Caption, term: int = 1) -> None:
        told = caption_pb2.CaptionTold(room_id=ROOM, channel=message.language, caption=message, term=term)
        await self.feed.take(told)


async def texts(reader: CaptionReader) -> list[str]:
    batch = await asyncio.wait_for(reader.take(), 5)
    assert batch is not None
    response = caption_stream_service_pb2.WatchCaptionsResponse.FromString(batch.watch)
    return [each.text for each in response.captions]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Background() as background:
        scene = Scene(background)
        yield scene
        scene.feed.close()


async def test_a_latecomer_gets_the_last_ten_minutes_and_then_what_is_written(scene: Scene) -> None:
    scene.directory.has = [caption("before", "0", at=-60, final=True)]
    reader = await scene.reader()
    batch = await reader.take()
    assert batch is not None
    first = caption_stream_service_pb2.WatchCaptionsResponse.FromString(batch.watch)
    assert (first.past, [each.text for each in first.captions]) == (True, ["before"])
    await scene.tell(caption("now"))
    batch = await reader.take()
    assert batch is not None
    second = caption_stream_service_pb2.WatchCaptionsResponse.FromString(batch.watch)
    assert (second.past, [each.text for each in second.captions]) == (False, ["now"])
    assert batch.sse.startswith(b"id: %d\nevent: captions\ndata: {" % micros(second.captions[0].changed_at))


async def test_the_first_answer_is_the_past_also_where_there_is_none(scene: Scene) -> None:
    assert await texts(await scene.reader()) == []


async def test_changes_that_come_close_together_are_one_and_a_slow_reader_gets_the_last(scene: Scene) -> None:
    quick, slow = await scene.reader(), await scene.reader()
    assert await texts(quick) == await texts(slow) == []
    await scene.tell(caption("G", at=0.0))
    assert await texts(quick) == ["G"]
    for number in range(1, 20):
        await scene.tell(caption("Good evening"[:number], at=number / 1000))
    await scene.tell(caption("and", "2", at=0.1))
    assert await texts(quick) == ["Good evening", "and"], "interims of one moment are one"
    assert await texts(slow) == ["Good evening", "and"], "what it slept through is not read to it"


async def test_readers_who_look_at_the_same_time_share_one_encoding(scene: Scene) -> None:
    readers = [await scene.reader() for _ in range(50)]
    for reader in readers:
        await reader.take()
    await scene.tell(caption("to all", at=0.2))
    batches = [await reader.take() for reader in readers]
    assert len({id(batch) for batch in batches}) == 1


async def test_a_reader_with_a_short_way_is_sent_what_is_new_at_once_and_nothing_overtakes_what_waits(
    scene: Scene,
) -> None:
    reader, sent, takes = await scene.reader(), [], True

    def sink(batch: Batch) -> bool:
        if takes:
            sent.append(batch)
        return takes

    assert await texts(reader) == []
    reader.sink = sink
    await scene.tell(caption("while its first answer is on its way", at=0.1))
    assert not sent
    assert await texts(reader) == ["while its first answer is on its way"]
    waiting = asyncio.ensure_future(reader.take())
    await asyncio.sleep(GATHER_SECONDS)
    await scene.tell(caption("at once", "2", at=0.2))
    await asyncio.sleep(0)
    assert [batch.chunk for batch in sent] == [b"%x\r\n%s\r\n" % (len(sent[0].sse), sent[0].sse)]
    assert not waiting.done(), "nobody had to wake up for it"
    takes = False
    await asyncio.sleep(GATHER_SECONDS)
    await scene.tell(caption("too fast for it", "3", at=0.3))
    batch = await asyncio.wait_for(waiting, 5)
    assert batch is not None
    response = caption_stream_service_pb2.WatchCaptionsResponse.FromString(batch.watch)
    assert [each.text for each in response.captions] == ["too fast for it"], "and nothing comes twice"


async def test_a_crowd_that_comes_or_comes_back_together_shares_one_encoding_of_the_past(scene: Scene) -> None:
    scene.directory.has = [caption("before", "0", at=-60, final=True), caption("lately", "1", at=-1, final=True)]
    after = int((wall() - 5) * 1e6)
    for readers in ([await scene.reader() for _ in range(20)], [await scene.reader(after=after) for _ in range(20)]):
        assert len({id(await reader.take()) for reader in readers}) == 1
    await scene.tell(caption("", "1", at=0.1, hidden=True))
    assert await texts(await scene.reader()) == ["before"]


async def test_a_reader_hears_one_language_and_nothing_of_another(scene: Scene) -> None:
    english, arabic = await scene.reader(), await scene.reader("ar")
    assert await texts(english) == await texts(arabic) == []
    await scene.tell(caption("hello"))
    other = caption("marhaban")
    other.language = "ar"
    await scene.tell(other)
    assert (await texts(english), await texts(arabic)) == (["hello"], ["marhaban"])


async def test_who_comes_back_gets_what_changed_since_and_what_was_hidden(scene: Scene) -> None:
    gone = caption("", "2", at=-3, began=-50, hidden=True)
    scene.directory.has = [caption("seen", "1", at=-30, final=True), gone, caption("new", "3", at=-2, final=True)]
    after = int((wall() - 5) * 1e6)
    reader = await scene.reader(after=after)
    assert await texts(reader) == ["", "new"]
    assert await texts(await scene.reader()) == ["seen", "new"], "a newcomer is not shown what is hidden"


async def test_the_directory_is_asked_once_for_all_who_come_together(scene: Scene) -> None:
    scene.directory.open.clear()
    joining = [asyncio.ensure_future(scene.reader()) for _ in range(5)]
    await asyncio.sleep(0)
    scene.directory.open.set()
    await asyncio.gather(*joining)
    await scene.reader()
    assert len(scene.directory.told) == 1


async def test_a_reader_is_refused_while_the_directory_is_away_and_may_come_again(scene: Scene) -> None:
    scene.directory.away = True
    with pytest.raises(PartUnavailable):
        await scene.reader()
    assert not scene.feed.readers
    scene.directory.away = False
    assert await texts(await scene.reader()) == []


async def test_an_owner_that_begins_with_nothing_learns_what_this_gateway_heard(scene: Scene) -> None:
    await scene.tell(caption("heard while nobody read", final=True))
    reader = await scene.reader()
    assert scene.directory.told == [["heard while nobody read"]]
    assert await texts(reader) == ["heard while nobody read"]
    scene.directory.term = 2
    scene.directory.has = [caption("of the other copy", "9", at=0.1, final=True)]
    scene.feed.relearn()
    assert await texts(reader) == ["of the other copy"]
    assert scene.directory.told[-1] == ["heard while nobody read"]
    await scene.tell(caption("of an owner before", "8", at=0.3), term=1)
    await scene.tell(caption("of this one", "7", at=0.4), term=2)
    assert await texts(reader) == ["of this one"]


async def test_a_seat_that_ends_ends_the_stream_at_once_and_a_room_that_is_over_after_its_last_words(
    scene: Scene,
) -> None:
    put_out, stays = await scene.reader(), await scene.reader()
    assert await texts(put_out) == await texts(stays) == []
    await scene.tell(caption("first"))
    assert await texts(stays) == ["first"]
    await scene.tell(caption("last words", "2", at=0.1, final=True))
    put_out.end(SeatEnded("you were removed"))
    stays.end()
    assert await put_out.take() is None
    assert await texts(stays) == ["last words"]
    assert await stays.take() is None
    scene.feed.leave(put_out)
    scene.feed.leave(stays)
    assert not scene.feed.readers


def test_what_is_old_or_left_unfinished_goes_and_a_flood_pushes_out_the_oldest() -> None:
    track, now = CaptionTrack(), wall()
    track.merge(caption("old", "1", at=-KEPT_SECONDS - 1, final=True), now)
    track.merge(caption("left", "2", at=-UNFINISHED_SECONDS - 1), now)
    track.merge(caption("fresh", "3", final=True), now)
    assert [each.text for each in track.captions()] == ["fresh"]
    for number in range(MOST_KEPT + 10):
        track.merge(caption("x", f"n{number}", at=number / 1e4, final=True), now)
    assert len(track) == MOST_KEPT


def test_what_is_told_twice_or_late_is_no_news() -> None:
    track, now = CaptionTrack(), wall()
    newer = caption("newer", at=1)
    assert track.merge(newer, now)
    assert not track.merge(newer, now)
    assert not track.merge(caption("older", at=0), now)


async def test_nothing_is_set_in_motion_for_a_language_that_nobody_reads() -> None:
    watched = Watched(METRICS)
    watched.track.merge(caption("x"), wall())
    watched.changed()
    assert watched.shown == watched.track.seen
