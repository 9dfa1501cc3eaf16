"""An append-only record of who did what, sealed by a chain of hashes so that later changes show."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.store.database import Database, UtcDateTime

SEAL_EVERY_SECONDS = 5.0
"""How often a service should call `seal`: rows are sealed well within ten seconds."""

_BATCH = 500
_MOST_BATCHES = 20
_FIRST_HASH = "0" * 64
# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_RowId = BigInteger().with_variant(Integer, "sqlite")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act as it was recorded."""

    at: datetime
    actor: str
    """User id, or the service's word for what it does by itself."""
    action: str
    target: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What `verify` found."""

    sealed: int
    unsealed: int
    broken_at: int | None
    """Position of the first row whose hash does not fit, or of a missing one; None when the chain holds."""

    @property
    def intact(self) -> bool:
        """Whether nothing was changed since it was sealed."""
        return self.broken_at is None


class AuditLog:
    """The audit tables of a service; make one beside its other tables, on the same metadata."""

    def __init__(self, metadata: MetaData, name: str = "audit") -> None:
        self.table = Table(
            name,
            metadata,
            Column("id", _RowId, primary_key=True, autoincrement=True),
            Column("at", UtcDateTime, nullable=False),
            Column("actor", String(64), nullable=False),
            Column("action", String(64), nullable=False),
            Column("target", String(200), nullable=False),
            Column("detail", JSON, nullable=False),
            Column("position", BigInteger, nullable=True, unique=True),
            Column("hash", String(64), nullable=True),
            Index(f"ix_{name}_target", "target"),
        )
        self.head = Table(
            f"{name}_head",
            metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("position", BigInteger, nullable=False),
            Column("hash", String(64), nullable=False),
            # Where the chain begins once its oldest links were deleted; NULL, as before that: at the first.
            Column("start_position", BigInteger, nullable=True),
            Column("start_hash", String(64), nullable=True),
        )

    async def append(
        self,
        session: AsyncSession,
        *,
        now: datetime,
        actor: str,
        action: str,
        target: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Records an act in the caller's transaction: it is recorded exactly when it happened."""
        await self.append_all(session, [AuditRow(now, actor, action, target, detail or {})])

    async def append_all(self, session: AsyncSession, rows: Iterable[AuditRow]) -> None:
        """The same for several acts, in their order, by one statement."""
        values = [
            {"at": row.at, "actor": row.actor, "action": row.action, "target": row.target, "detail": dict(row.detail)}
            for row in rows
        ]
        if values:
            await session.execute(self.table.insert(), values)

    async def latest(self, session: AsyncSession, *, target: str = "", limit: int = 100) -> list[AuditRow]:
        """The newest acts, of one target when it is given, newest first."""
        query = select(self.table).order_by(self.table.c.id.desc()).limit(limit)
        if target:
            query = query.where(self.table.c.target == target)
        rows = await session.execute(query)
        return [AuditRow(row.at, row.actor, row.action, row.target, row.detail) for row in rows]

    async def seal(self, database: Database) -> int:
        """Chains the rows that are not sealed yet and returns how many; run it every SEAL_EVERY_SECONDS.

        The order of the chain is the order of sealing: ids are given before commits, which may overtake each other.
        """
        total = 0
        while True:
            try:
                async with database.write() as session:
                    count = await self._seal_batch(session)
            except IntegrityError:
                # The very first seal: another copy of the service began the chain, and goes on with it.
                return total
            total += count
            if count < _BATCH:
                return total

    async def _seal_batch(self, session: AsyncSession) -> int:
        head = (await session.execute(select(self.head).where(self.head.c.id == 1).with_for_update())).one_or_none()
        position, link = (head.position, head.hash) if head is not None else (0, _FIRST_HASH)
        query = select(self.table).where(self.table.c.position.is_(None)).order_by(self.table.c.id).limit(_BATCH)
        rows = (await session.execute(query)).all()
        for row in rows:
            position, link = position + 1, _link(link, position + 1, row)
            await session.execute(
                update(self.table).where(self.table.c.id == row.id).values(position=position, hash=link)
            )
        if head is None:
            await session.execute(self.head.insert().values(id=1, position=position, hash=link))
        elif rows:
            await session.execute(update(self.head).where(self.head.c.id == 1).values(position=position, hash=link))
        return len(rows)

    async def delete_before(self, database: Database, before: datetime, now: datetime) -> int:
        """Deletes sealed acts older than `before`, from the chain's beginning; returns how many, boundedly many.

        That it was done is itself an act; the rest of the chain verifies as it did.
        """
        total = 0
        for _ in range(_MOST_BATCHES):
            async with database.write() as session:
                count = await self._delete_batch(session, before, now)
            total += count
            if count < _BATCH:
                break
        return total

    async def _delete_batch(self, session: AsyncSession, before: datetime, now: datetime) -> int:
        head = (await session.execute(select(self.head).where(self.head.c.id == 1).with_for_update())).one_or_none()
        if head is None:
            return 0
        start, _ = _beginning(head)
        columns = (self.table.c.position, self.table.c.hash, self.table.c.at)
        query = select(*columns).where(self.table.c.position > start).order_by(self.table.c.position).limit(_BATCH)
        old = list(itertools.takewhile(lambda row: row.at < before, await session.execute(query)))
        if not old:
            return 0
        last = old[-1]
        in_batch = and_(self.table.c.position > start, self.table.c.position <= last.position)
        await session.execute(delete(self.table).where(in_batch))
        beginning = {"start_position": last.position, "start_hash": last.hash}
        await session.execute(update(self.head).where(self.head.c.id == 1).values(beginning))
        detail = {"rows": len(old), "hash": last.hash, "older_than": before.isoformat()}
        await self.append(
            session, now=now, actor="retention", action="audit_deleted", target=str(last.position), detail=detail
        )
        return len(old)

    async def verify(self, database: Database) -> AuditVerdict:
        """Walks the whole chain; finds a row changed, removed, inserted or cut off after it was sealed."""
        async with database.read() as session:
            unsealed = select(func.count()).select_from(self.table).where(self.table.c.position.is_(None))
            waiting = int(await session.scalar(unsealed) or 0)
            head = (await session.execute(select(self.head).where(self.head.c.id == 1))).one_or_none()
            start = position, link = _beginning(head)
            query = select(self.table).where(self.table.c.position.is_not(None)).order_by(self.table.c.position)
            async for row in await session.stream(query):
                link = _link(link, position + 1, row)
                if row.position != position + 1 or row.hash != link:
                    return AuditVerdict(position - start[0], waiting, position + 1)
                position += 1
        end = (head.position, head.hash) if head is not None else start
        return AuditVerdict(position - start[0], waiting, None if end == (position, link) else position + 1)


def _beginning(head: Any) -> tuple[int, str]:
    """Position and hash before the first link that is kept."""
    if head is None or head.start_position is None:
        return 0, _FIRST_HASH
    return int(head.start_position), str(head.start_hash)


def _link(before: str, position: int, row: Any) -> str:
    fields = [before, position, row.id, row.at.isoformat(), row.actor, row.action, row.target, row.detail]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
