"""Facts reach every consumer once the change is committed, whatever is down in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from majlis.auth.v1 import auth_facts_pb2 as facts
from sqlalchemy import MetaData

from services.common.errors import PartUnavailable
from services.common.facts.outbox import (
    FactCursors,
    FactReader,
    MemoryCursor,
    Outbox,
    OutboxPublisher,
    StoredFact,
    unwrap_fact,
    wrap_fact,
)
from services.common.store.database import Database
from services.common.tasks import Background
from tests.support.fake_bus import FakeBus, eventually

NOW = datetime(2030, 1, 1, tzinfo=UTC)
METADATA = MetaData()
OUTBOX = Outbox(METADATA)
CURSORS = FactCursors(METADATA)
TYPES = (facts.AccountCreated, facts.SignedOut)


class Source:
    """A service with an outbox and its ListFacts."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.bus = FakeBus()
        self.publisher = OutboxPublisher(OUTBOX, database, self.bus)
        self.reachable = True
        self.asked: list[int] = []

    async def happen(self, user_id: str = "user000000000001") -> int:
        async with self.database.write() as session:
            return await OUTBOX.append(session, facts.AccountCreated(user_id=user_id), NOW)

    async def list_facts(self, after: int, limit: int) -> Sequence[Message]:
        self.asked.append(after)
        if not self.reachable:
            raise PartUnavailable("away")
        async with self.database.read() as session:
            return [wrap_fact(facts.AuthFact, stored) for stored in await OUTBOX.list_after(session, after, limit)]


@pytest.fixture
async def source(database: Database) -> Source:
    await database.create_all(METADATA)
    return Source(database)


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    async with Background() as made:
        yield made


async def stored(source: Source) -> list[StoredFact]:
    async with source.database.read() as session:
        return await OUTBOX.list_after(session, 0)


async def test_facts_are_numbered_without_gaps_although_changes_fail(source: Source) -> None:
    await source.happen()

    async def fail() -> None:
        async with source.database.write() as session:
            await OUTBOX.append(session, facts.AccountCreated(user_id="user000000000009"), NOW)
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await fail()
    await source.happen()
    assert [(each.number, each.event.number) for each in await stored(source)] == [(1, 1), (2, 2)]  # type: ignore[attr-defined]


async def test_facts_of_many_writers_are_numbered_without_gaps(source: Source) -> None:
    numbers = await asyncio.gather(*(source.happen() for _ in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    assert [each.number for each in await stored(source)] == list(range(1, 21))


async def test_a_commit_puts_its_fact_on_the_bus_without_waiting_for_the_next_look(
    source: Source, background: Background, monkeypatch: Any
) -> None:
    monkeypatch.setattr("services.common.facts.outbox._LOOK_AGAIN_SECONDS", 600)
    background.spawn("publisher", source.publisher.run)
    await asyncio.sleep(0)
    await source.happen()
    await eventually(lambda: len(source.bus.published) == 1)
    assert source.bus.published[0] == facts.AccountCreated(number=1, user_id="user000000000001")


async def test_what_a_crash_left_unpublished_is_published_at_the_next_start(
    source: Source, background: Background
) -> None:
    for _ in range(3):
        await source.happen()
    background.spawn("publisher", source.publisher.run)
    await eventually(lambda: len(source.bus.published) == 3)
    async with asyncio.timeout(10):  # what was published is noted a moment later
        while await source.publisher.publish_pending():
            pass


async def test_facts_wait_while_the_bus_is_away(source: Source, background: Background) -> None:
    source.bus.connected = False
    background.spawn("publisher", source.publisher.run)
    await source.happen()
    await asyncio.sleep(0.1)
    assert source.bus.published == []
    await source.bus.reconnect()
    await eventually(lambda: len(source.bus.published) == 1)


class Consumer:
    """Reads the source's facts and may be told to fail."""

    def __init__(self, source: Source, cursor: Any) -> None:
        self.handled: list[int] = []
        self.fail_at: int | None = None
        self.reader = FactReader("auth", source.bus, TYPES, source.list_facts, self.handle, cursor)

    async def handle(self, event: Any) -> None:
        if event.number == self.fail_at:
            self.fail_at = None
            raise RuntimeError("on purpose")
        self.handled.append(event.number)


async def test_a_reader_catches_up_at_start_and_then_follows_the_bus(
    source: Source, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.facts.reader._LOOK_AGAIN_SECONDS", 600)
    await source.happen()
    await source.happen()
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: consumer.handled == [1, 2])
    asked = len(source.asked)
    background.spawn("publisher", source.publisher.run)
    await source.happen()
    await eventually(lambda: consumer.handled == [1, 2, 3])
    assert len(source.asked) == asked


async def test_a_reader_asks_for_facts_itself_while_the_bus_is_away(source: Source, background: Background) -> None:
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: len(source.asked) == 1)
    source.bus.connected = False
    await source.happen()
    await eventually(lambda: consumer.handled == [1], seconds=5.0)


async def test_a_reader_does_not_wait_for_a_bus_that_hangs_while_it_looks_connected(
    source: Source, background: Background
) -> None:
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    background.spawn("publisher", source.publisher.run)
    await eventually(lambda: len(source.asked) == 1)
    source.bus.hang()
    await source.happen()
    await eventually(lambda: consumer.handled == [1], seconds=5.0)
    await eventually(lambda: len(source.bus.published) == 1)


async def test_a_reader_tells_again_what_was_handled_before_a_start(source: Source, background: Background) -> None:
    for _ in range(3):
        await source.happen()
    cursor = MemoryCursor()
    await cursor.save("auth", 2)
    consumer, again = Consumer(source, cursor), list[int]()

    async def recall(event: Any) -> None:
        again.append(event.number)

    reader = FactReader("auth", source.bus, TYPES, source.list_facts, consumer.handle, cursor, recall=recall)
    background.spawn("reader", reader.run)
    await eventually(lambda: consumer.handled == [3])
    assert again == [1, 2]


async def test_a_reader_asks_for_what_is_missing_in_a_gap(source: Source, background: Background) -> None:
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: len(source.asked) == 1)
    source.bus.connected = False
    await source.happen()
    await source.happen()
    await source.publisher.publish_pending()
    source.bus.connected = True
    await source.happen()
    await source.publisher.publish_pending()
    await eventually(lambda: consumer.handled == [1, 2, 3])


async def test_a_reader_asks_again_when_the_bus_was_away(source: Source, background: Background) -> None:
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: len(source.asked) == 1)
    source.bus.connected = False
    await source.happen()
    await source.publisher.publish_pending()
    await source.bus.reconnect()
    await eventually(lambda: consumer.handled == [1])


async def test_a_fact_published_twice_is_handled_once(source: Source, background: Background) -> None:
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: len(source.asked) == 1)
    event = facts.AccountCreated(number=await source.happen(), user_id="user000000000001")
    await source.bus.publish(event)
    await source.bus.publish(event)
    assert consumer.handled == [1]


async def test_a_reader_waits_for_a_source_that_is_away(source: Source, background: Background) -> None:
    source.reachable = False
    await source.happen()
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: len(source.asked) >= 2)
    source.reachable = True
    await eventually(lambda: consumer.handled == [1])


async def test_a_fact_that_could_not_be_handled_is_not_skipped(source: Source, background: Background) -> None:
    for _ in range(3):
        await source.happen()
    consumer = Consumer(source, MemoryCursor())
    consumer.fail_at = 2
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: consumer.handled == [1, 2, 3])


async def test_a_reader_goes_on_after_a_restart_where_it_was(source: Source) -> None:
    cursor = CURSORS.of(source.database)
    for number in (1, 2):
        await source.happen()
        consumer = Consumer(source, cursor)
        async with Background() as background:
            background.spawn("reader", consumer.reader.run)
            await eventually(lambda handled=consumer.handled, n=number: handled == [n])  # type: ignore[misc]
            await eventually(lambda reader=consumer.reader, n=number: reader.last_number == n)  # type: ignore[misc]
    assert await cursor.load("auth") == 2
    assert await cursor.load("another") == 0


async def test_more_facts_than_a_page_are_all_read(source: Source, background: Background, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.common.facts.reader._PAGE", 3)
    for _ in range(8):
        await source.happen()
    consumer = Consumer(source, MemoryCursor())
    background.spawn("reader", consumer.reader.run)
    await eventually(lambda: consumer.handled == list(range(1, 9)))


def test_a_fact_goes_into_its_own_field_of_the_contract_and_comes_out_again() -> None:
    event = facts.SignedOut(number=4, user_id="user000000000001", sign_in_id="signin0000000001")
    wrapped = wrap_fact(facts.AuthFact, StoredFact(4, event, NOW))
    assert wrapped.WhichOneof("fact") == "signed_out"
    assert unwrap_fact(wrapped) == (4, event)


def test_an_event_the_contract_has_no_field_for_is_refused() -> None:
    with pytest.raises(ValueError, match="no field"):
        wrap_fact(facts.AuthFact, StoredFact(1, facts.AuthFact(), NOW))


def test_a_fact_newer_than_the_code_is_not_taken_for_another() -> None:
    with pytest.raises(ValueError, match="newer"):
        unwrap_fact(facts.AuthFact(number=1))


async def test_a_fact_that_is_not_written_yet_is_handled_once_and_again_with_its_number() -> None:
    handled: list[int] = []
    waiting = [facts.AuthFact(signed_out=facts.SignedOut(user_id="user000000000001"))]

    async def list_facts(after: int, limit: int) -> list[facts.AuthFact]:
        return [fact for fact in waiting if not fact.number or fact.number > after]

    async def handle(event: Any) -> None:
        handled.append(event.number)

    reader = FactReader("auth", FakeBus(), (facts.SignedOut,), list_facts, handle, MemoryCursor())
    await reader.catch_up()
    await reader.catch_up()
    assert (handled, reader.last_number) == ([0], 0)
    waiting[0].number = waiting[0].signed_out.number = 1
    await reader.catch_up()
    assert (handled, reader.last_number) == ([0, 1], 1)
