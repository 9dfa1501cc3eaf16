"""Leases of rooms in PostgreSQL: by its clock alone, a batch of rooms in one statement."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, literal, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.store.database import Database, UtcDateTime
from services.room_directory.domain.leases import LEASE_SECONDS, Answer, CopyState, Lease
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState
from services.room_directory.storage.tables import copies, leases, rooms

_FORGOTTEN_SECONDS = 3600.0


def _in_seconds(seconds: float) -> ColumnElement[Any]:
    # The transaction's own moment would be older than what it waited for.
    return literal_column(f"clock_timestamp() + interval '{seconds:.1f} seconds'", UtcDateTime)


_NOW = _in_seconds(0)


class SqlLeases:
    """Who owns which room, for all copies of the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def round(self, copy: CopyState, *, over: Sequence[str], take_from: Sequence[str]) -> Answer:
        """Renews every lease of the copy, deletes those of rooms that are over, and takes what nobody has."""
        async with self._database.write() as session:
            await self._note(session, copy)
            mine = and_(leases.c.owner_id == copy.copy_id, leases.c.room_id.not_in(over))
            renewed = update(leases).where(mine).values(lapses_at=_in_seconds(LEASE_SECONDS))
            held = await session.execute(renewed.returning(leases.c.room_id, leases.c.term))
            terms = {row.room_id: row.term for row in held}
            if over:
                ended = and_(leases.c.owner_id == copy.copy_id, leases.c.room_id.in_(over))
                await session.execute(delete(leases).where(ended))
            if not copy.leaving:
                terms |= await self._take(session, copy, take_from)
            return await self._standing(session, copy, terms)

    async def _note(self, session: AsyncSession, copy: CopyState) -> None:
        values = {
            "address": copy.address,
            "rooms": copy.rooms,
            "leaving": copy.leaving,
            "lapses_at": _in_seconds(LEASE_SECONDS),
        }
        note = insert(copies).values(copy_id=copy.copy_id, **values)
        await session.execute(note.on_conflict_do_update(index_elements=["copy_id"], set_=values))

    async def _take(self, session: AsyncSession, copy: CopyState, take_from: Sequence[str]) -> dict[str, int]:
        live = rooms.c.state != RoomState.ENDED.value
        # Of a release without leases, or restored from its backup.
        bare = select(rooms.c.room_id, literal(""), literal(""), rooms.c.term, _NOW).where(
            live, ~select(leases.c.room_id).where(leases.c.room_id == rooms.c.room_id).exists()
        )
        names = ["room_id", "owner_id", "address", "term", "lapses_at"]
        await session.execute(insert(leases).from_select(names, bare).on_conflict_do_nothing())
        free = (leases.c.lapses_at <= _NOW) | leases.c.owner_id.in_(take_from) | (leases.c.address == copy.address)
        # What another copy is taking at this moment is not waited for.
        lapsed = select(leases.c.room_id).where(free, leases.c.owner_id != copy.copy_id)
        found = list(await session.scalars(lapsed.order_by(leases.c.room_id).with_for_update(skip_locked=True)))
        if not found:
            return {}
        return await self._give(session, leases.c.room_id.in_(found), copy)

    async def _give(self, session: AsyncSession, which: ColumnElement[bool], to: CopyState) -> dict[str, int]:
        """The next term of rooms, in both tables: from here on nothing is written under an older one."""
        owner = {"owner_id": to.copy_id, "address": to.address, "lapses_at": _in_seconds(LEASE_SECONDS)}
        next_term = update(leases).where(which).values(term=leases.c.term + 1, **owner)
        terms = {
            row.room_id: row.term for row in await session.execute(next_term.returning(leases.c.room_id, leases.c.term))
        }
        raised = and_(rooms.c.room_id.in_(terms), leases.c.room_id == rooms.c.room_id)
        await session.execute(update(rooms).where(raised).values(term=leases.c.term))
        return terms

    async def _standing(self, session: AsyncSession, copy: CopyState, mine: dict[str, int]) -> Answer:
        lapsed = (leases.c.lapses_at <= _NOW).label("lapsed")
        since = func.extract("epoch", _NOW - leases.c.lapses_at).label("since")
        rows = (await session.execute(select(leases, lapsed, since).where(leases.c.owner_id != copy.copy_id))).all()
        running = await session.execute(select(copies).where(copies.c.lapses_at > _NOW))
        await session.execute(delete(copies).where(copies.c.lapses_at < _in_seconds(-_FORGOTTEN_SECONDS)))
        return Answer(
            mine=mine,
            others=tuple(Lease(row.room_id, row.owner_id, row.address, row.term, row.lapsed) for row in rows),
            copies=tuple(CopyState(row.copy_id, row.address, row.rooms, row.leaving) for row in running),
            ownerless_seconds=max((float(row.since) for row in rows if row.lapsed), default=0.0),
        )

    async def leave(self, copy_id: str) -> None:
        """What the copy still has lapses now, and it is no copy any more."""
        async with self._database.write() as session:
            await session.execute(update(leases).where(leases.c.owner_id == copy_id).values(lapses_at=_NOW))
            await session.execute(delete(copies).where(copies.c.copy_id == copy_id))

    async def copies(self) -> list[CopyState]:
        """All that ran lately, whether their time is over or not."""
        async with self._database.read() as session:
            rows = await session.execute(select(copies))
            return [CopyState(row.copy_id, row.address, row.rooms, row.leaving) for row in rows]

    async def find(self, room_id: str) -> Lease | None:
        """One room's row."""
        lapsed = (leases.c.lapses_at <= _NOW).label("lapsed")
        async with self._database.read() as session:
            row = (await session.execute(select(leases, lapsed).where(leases.c.room_id == room_id))).one_or_none()
        return None if row is None else Lease(row.room_id, row.owner_id, row.address, row.term, row.lapsed)

    async def made(self, session: AsyncSession, room: Room, copy: CopyState) -> None:
        """Writes the lease of a new room, in the transaction that makes the room."""
        values = {"room_id": room.room_id, "owner_id": copy.copy_id, "address": copy.address, "term": room.term}
        await session.execute(insert(leases).values(lapses_at=_in_seconds(LEASE_SECONDS), **values))
