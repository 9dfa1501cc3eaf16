"""Facts that others must act on: stored with the change that caused them, numbered, then put on the bus."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.bus.subject import ids_of
from services.common.facts.cursors import FactCursors
from services.common.facts.reader import FactReader, MemoryCursor, unwrap_fact
from services.common.sight import tracing
from services.common.sight.log import get_logger
from services.common.store.database import Database, UtcDateTime

__all__ = [
    "FactCursors",
    "FactReader",
    "MemoryCursor",
    "Outbox",
    "OutboxPublisher",
    "StoredFact",
    "entity_of",
    "unwrap_fact",
    "wrap_fact",
]

F = TypeVar("F", bound=Message)

LARGEST_PAGE = 1000
_DEFAULT_PAGE = 500
_LOOK_AGAIN_SECONDS = 5.0
"""For what another copy of the service stored and could not publish; its own commits wake a publisher at once."""
_AWAY_SECONDS = 0.5
"""While the bus is away: how soon its return is noticed. Nothing is read then."""
_INSERTS: dict[str, Callable[[Table], Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

_log = get_logger("outbox")


@dataclass(frozen=True, slots=True)
class StoredFact:
    number: int
    event: Message
    at: datetime


class FactBus(Protocol):
    """What the publisher needs of the bus."""

    @property
    def connected(self) -> bool:
        """Whether events can be published now."""
        ...

    async def publish(self, event: Message) -> None: ...


class Outbox:
    """The outbox tables of a service; make one beside its other tables, on the same metadata."""

    def __init__(self, metadata: MetaData, name: str = "outbox") -> None:
        self.table = Table(
            name,
            metadata,
            Column("number", BigInteger, primary_key=True, autoincrement=False),
            Column("type", String(200), nullable=False),
            Column("payload", LargeBinary, nullable=False),
            Column("at", UtcDateTime, nullable=False),
            Column("published", Boolean, nullable=False, default=False),
            # What the fact is about; NULL in rows of releases that did not note it.
            Column("entity", String(64), nullable=True),
            Index(f"ix_{name}_at", "at"),
            Index(f"ix_{name}_entity", "entity", "number"),
            Index(f"ix_{name}_unpublished", "published", "number"),
        )
        self.counter = Table(
            f"{name}_counter",
            metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("value", BigInteger, nullable=False),
        )
        self._wakers: set[Callable[[], None]] = set()
        # Traces of facts on their way out. Lost with the process, which costs a trace its end and nothing else.
        self._traces: dict[int, str] = {}

    async def append(self, session: AsyncSession, event_message: Message, now: datetime) -> int:
        """Stores an event in the caller's transaction and returns its number, which its `number` field is set to.

        Numbers rise by one without gaps, in the order of the commits: the counter's row is locked until then.
        """
        insert = _INSERTS[session.get_bind().dialect.name](self.counter)
        counted = insert.values(id=1, value=1).on_conflict_do_update(
            index_elements=["id"], set_={"value": self.counter.c.value + 1}
        )
        number = int((await session.execute(counted.returning(self.counter.c.value))).scalar_one())
        event_message.number = number  # type: ignore[attr-defined]
        await session.execute(
            self.table.insert().values(
                number=number,
                type=event_message.DESCRIPTOR.full_name,
                payload=event_message.SerializeToString(),
                at=now,
                published=False,
                entity=entity_of(event_message),
            )
        )
        event.listen(session.sync_session, "after_commit", self._committed, once=True)
        traceparent = tracing.traceparent()
        if traceparent and len(self._traces) < _DEFAULT_PAGE:
            self._traces[number] = traceparent
        return number

    def trace_of(self, number: int) -> str:
        """The traceparent of what stored a fact, once; empty when it is not known."""
        return self._traces.pop(number, "")

    async def list_after(self, session: AsyncSession, after: int, limit: int = 0) -> list[StoredFact]:
        """Facts with a number above `after`, oldest first; limit 0 means 500, at most 1000."""
        query = select(self.table).where(self.table.c.number > after).order_by(self.table.c.number)
        rows = await session.execute(query.limit(min(limit or _DEFAULT_PAGE, LARGEST_PAGE)))
        return [_fact(row) for row in rows]

    async def unpublished(self, session: AsyncSession, limit: int = _DEFAULT_PAGE) -> list[StoredFact]:
        """Facts that were not put on the bus yet, oldest first."""
        query = select(self.table).where(self.table.c.published.is_(False)).order_by(self.table.c.number)
        return [_fact(row) for row in await session.execute(query.limit(limit))]

    async def mark_published(self, session: AsyncSession, numbers: Sequence[int]) -> None:
        """Notes that these facts were put on the bus."""
        await session.execute(update(self.table).where(self.table.c.number.in_(numbers)).values(published=True))

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Any:
        """Calls `wake` after each commit that stored a fact, inside the block."""
        self._wakers.add(wake)
        try:
            yield
        finally:
            self._wakers.discard(wake)

    def _committed(self, _session: Any) -> None:
        for wake in self._wakers:
            wake()


class OutboxPublisher:
    """Puts stored facts on the bus, at once after the commit and again after a crash or a lost connection.

    Run `run` in the background. A fact may be published twice; consumers tell by its number.
    """

    def __init__(self, outbox: Outbox, database: Database, bus: FactBus) -> None:
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._stored = asyncio.Event()

    async def run(self) -> None:
        """Publishes for ever."""
        with self._outbox.waking(self._stored.set):
            while True:
                self._stored.clear()
                while self._bus.connected and await self.publish_pending():
                    pass
                with contextlib.suppress(TimeoutError):
                    # Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation.
                    async with asyncio.timeout(_LOOK_AGAIN_SECONDS if self._bus.connected else _AWAY_SECONDS):
                        await self._stored.wait()

    async def publish_pending(self) -> int:
        """Publishes one page of what was not published yet and returns how many facts that were."""
        async with self._database.read() as session:
            facts = await self._outbox.unpublished(session)
        for fact in facts:
            with tracing.resumed(self._outbox.trace_of(fact.number)):
                await self._bus.publish(fact.event)
        if facts:
            async with self._database.write() as session:
                await self._outbox.mark_published(session, [fact.number for fact in facts])
            _log.debug("facts published", count=len(facts), newest=facts[-1].number)
        return len(facts)


def entity_of(event_message: Message) -> str:
    """The id of what a fact is about: the first in its subject; empty for a fact without one."""
    return next(iter(ids_of(event_message).values()), "")


def wrap_fact(fact_type: type[F], stored: StoredFact) -> F:
    """The contract's numbered fact (a `number`, and a oneof of events) around a stored event.

    Raises ValueError when the contract has no place for the event.
    """
    wrapped = fact_type(number=stored.number)
    for oneof in fact_type.DESCRIPTOR.oneofs:
        for field in oneof.fields:
            if field.message_type is not None and field.message_type.full_name == stored.event.DESCRIPTOR.full_name:
                getattr(wrapped, field.name).CopyFrom(stored.event)
                return wrapped
    raise ValueError(f"{fact_type.DESCRIPTOR.full_name} has no field for {stored.event.DESCRIPTOR.full_name}")


def _fact(row: Any) -> StoredFact:
    message_type = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(row.type))
    return StoredFact(row.number, message_type.FromString(row.payload), row.at)
