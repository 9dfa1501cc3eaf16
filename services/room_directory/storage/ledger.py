"""What is kept beside rooms: blocks, reports, relays and the keys that sign permits."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.clock import Clock
from services.common.errors import StorageUnavailable
from services.common.store.database import Database
from services.common.trust.key_ring import KeyRing
from services.room_directory.app.ports import Act, ReportRecord, StoredRelay
from services.room_directory.domain.seats import RoomState
from services.room_directory.storage.retention import delete_rooms_of
from services.room_directory.storage.tables import (
    audit,
    blocks,
    captioners,
    floors,
    guests,
    hands,
    offers,
    relays,
    removals,
    reports,
    rooms,
    signing_keys,
    stage_seats,
)

_RELAY_REMEMBERED = timedelta(days=7)
_FORGOTTEN = "deleted000"
"""Stands in reports for an account that was deleted."""


class SqlLedger:
    """Blocks, reports, relays and keys in SQLite or PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # Blocks.

    async def blocks(self) -> list[tuple[str, str]]:
        """Every (blocker, blocked) pair, newest first."""
        query = select(blocks).order_by(blocks.c.at.desc(), blocks.c.blocked_id)
        async with self._database.read() as session:
            return [(row.blocker_id, row.blocked_id) for row in await session.execute(query)]

    async def block(self, blocker_id: str, blocked_id: str, act: Act) -> None:
        """Adds a pair; one that is there stays."""
        values = {"blocker_id": blocker_id, "blocked_id": blocked_id, "at": self._clock.now()}
        async with self._database.write() as session:
            await session.execute(self._insert(blocks).values(values).on_conflict_do_nothing())
            await self._record(session, act)

    async def unblock(self, blocker_id: str, blocked_id: str, act: Act) -> None:
        """Takes a pair away."""
        pair = and_(blocks.c.blocker_id == blocker_id, blocks.c.blocked_id == blocked_id)
        async with self._database.write() as session:
            await session.execute(delete(blocks).where(pair))
            await self._record(session, act)

    # Reports.

    async def add_report(self, report: ReportRecord, act: Act) -> None:
        values = {name: getattr(report, name) for name in ReportRecord.__slots__}
        async with self._database.write() as session:
            await session.execute(insert(reports).values(values))
            await self._record(session, act)

    async def reports(self, *, open_only: bool, limit: int, before: tuple[datetime, str] | None) -> list[ReportRecord]:
        """Reports, newest first, after the one that `before` names."""
        query = select(reports).order_by(reports.c.created_at.desc(), reports.c.report_id.desc()).limit(limit)
        if open_only:
            query = query.where(reports.c.resolved.is_(False))
        if before is not None:
            at, report_id = before
            query = query.where(
                or_(reports.c.created_at < at, and_(reports.c.created_at == at, reports.c.report_id < report_id))
            )
        async with self._database.read() as session:
            return [ReportRecord(**row) for row in (await session.execute(query)).mappings()]

    async def resolve_report(self, report_id: str, resolution: str, act: Act) -> bool:
        """Closes a report; False when there is none."""
        values = {"resolved": True, "resolution": resolution}
        async with self._database.write() as session:
            result = await session.execute(update(reports).where(reports.c.report_id == report_id).values(values))
            if result.rowcount != 1:  # type: ignore[attr-defined]
                return False
            await self._record(session, act)
            return True

    async def forget_person(self, user_id: str, act: Act) -> None:
        """Deletes what is known of a deleted account beside live rooms; reports keep their text without the name."""
        await delete_rooms_of(self._database, user_id)
        async with self._database.write() as session:
            await session.execute(
                delete(blocks).where(or_(blocks.c.blocker_id == user_id, blocks.c.blocked_id == user_id))
            )
            for table in (captioners, guests, hands, removals):
                await session.execute(delete(table).where(table.c.user_id == user_id))
            over = select(rooms.c.room_id).where(rooms.c.state == RoomState.ENDED.value)
            for table in (stage_seats, offers, floors):
                # In live rooms their rules still need these rows; they go with the room.
                await session.execute(delete(table).where(table.c.user_id == user_id, table.c.room_id.in_(over)))
            for column in (reports.c.reporter_id, reports.c.subject_id):
                await session.execute(update(reports).where(column == user_id).values({column.name: _FORGOTTEN}))
            await self._record(session, act)

    # Relays.

    async def relays(self) -> list[StoredRelay]:
        """Every relay that reported within the last week."""
        query = select(relays).where(relays.c.seen_at > self._clock.now() - _RELAY_REMEMBERED)
        async with self._database.read() as session:
            return [StoredRelay(row.relay_id, row.boot_id, row.grpc_address) for row in await session.execute(query)]

    async def remember_relay(self, relay: StoredRelay) -> None:
        """Keeps a relay's newest start and address."""
        values = {"boot_id": relay.boot_id, "grpc_address": relay.grpc_address, "seen_at": self._clock.now()}
        upsert = (
            self._insert(relays)
            .values(relay_id=relay.relay_id, **values)
            .on_conflict_do_update(index_elements=["relay_id"], set_=values)
        )
        async with self._database.write() as session:
            await session.execute(upsert)

    # Keys.

    async def key_ring(self, life: timedelta) -> KeyRing:
        """The keys that sign permits: made at first, and rotated when the current one is older than `life`."""
        try:
            return await self._key_ring(life)
        except IntegrityError:
            # Two copies started on an empty database: the other one made them.
            return await self._key_ring(life)

    async def stored_ring(self) -> KeyRing:
        """The keys as they are. Raises StorageUnavailable where none could be made yet."""
        async with self._database.read() as session:
            row = (await session.execute(select(signing_keys))).one_or_none()
        if row is None:
            raise StorageUnavailable("the keys of the first start could not be written")
        return KeyRing.restore(row.ring)

    async def _key_ring(self, life: timedelta) -> KeyRing:
        now = self._clock.now()
        async with self._database.write() as session:
            row = (await session.execute(select(signing_keys).with_for_update())).one_or_none()
            if row is not None and now - row.rotated_at < life:
                return KeyRing.restore(row.ring)
            if row is None:
                ring = KeyRing.create(now)
                await session.execute(insert(signing_keys).values(id=1, ring=ring.dump(), rotated_at=now))
            else:
                ring = KeyRing.restore(row.ring)
                ring.rotate(now)
                await session.execute(update(signing_keys).values(ring=ring.dump(), rotated_at=now))
            await self._record(session, Act("room_directory", "rotate_keys", ring.current.key_id))
        return ring

    def _insert(self, table: Any) -> Any:
        return (sqlite.insert if self._database.is_sqlite else postgresql.insert)(table)

    async def _record(self, session: AsyncSession, act: Act) -> None:
        await audit.append(
            session,
            now=self._clock.now(),
            actor=act.actor_id,
            action=act.action,
            target=act.target,
            detail=act.detail,
        )
