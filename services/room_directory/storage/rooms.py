"""Rooms in and out of the database, each change at the version it was decided on."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, Table, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.clock import Clock
from services.common.store.audit import AuditRow
from services.common.store.database import Conflict, Database
from services.room_directory.app.ports import Act, Deed
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState, Rules
from services.room_directory.storage.rows import PART_TABLES, key_of, part_values, read_room, room_values
from services.room_directory.storage.tables import audit, rooms

RoomMade = Callable[[AsyncSession, Room], Awaitable[None]]


class SqlRoomStore:
    """Rooms in SQLite or PostgreSQL."""

    def __init__(self, database: Database, clock: Clock, rules: Rules, made: RoomMade | None = None) -> None:
        """`made` writes what else belongs to a new room, in the same transaction."""
        self._database = database
        self._made = made
        self._clock = clock
        self._rules = rules

    async def load_live(self) -> list[tuple[Room, int]]:
        """Every room that is not over, with its epoch ceiling."""
        return await self._load_all(select(rooms).where(rooms.c.state != RoomState.ENDED.value))

    async def load_some(self, room_ids: Sequence[str]) -> list[tuple[Room, int]]:
        """Those of them that are not over, each with its epoch ceiling."""
        live = and_(rooms.c.room_id.in_(room_ids), rooms.c.state != RoomState.ENDED.value)
        return await self._load_all(select(rooms).where(live))

    async def _load_all(self, query: Select[Any]) -> list[tuple[Room, int]]:
        async with self._database.read() as session:
            rows = [dict(row) for row in (await session.execute(query)).mappings()]
            parts = await _read_parts(session, [row["room_id"] for row in rows])
        return [(read_room(row, parts[row["room_id"]], self._rules), row["epoch_ceiling"]) for row in rows]

    async def load(self, room_id: str) -> Room | None:
        """One room with its rows, also when it is over."""
        async with self._database.read() as session:
            row = (await session.execute(select(rooms).where(rooms.c.room_id == room_id))).mappings().one_or_none()
            if row is None:
                return None
            parts = await _read_parts(session, [room_id])
        return read_room(dict(row), parts[room_id], self._rules)

    async def find_request(self, creator_id: str, request_id: str) -> str | None:
        """The room that this request made before."""
        query = select(rooms.c.room_id).where(rooms.c.creator_id == creator_id, rooms.c.request_id == request_id)
        async with self._database.read() as session:
            found: str | None = await session.scalar(query)
        return found

    async def create(self, room: Room, epoch_ceiling: int, act: Act) -> None:
        """Writes a new room. Raises Conflict when the request made one already."""
        try:
            async with self._database.write() as session:
                values = {"room_id": room.room_id, "epoch_ceiling": epoch_ceiling, "term": room.term}
                await session.execute(insert(rooms).values(values | room_values(room)))
                if self._made is not None:
                    await self._made(session, room)
                for part in PART_TABLES:
                    await _write_part(session, room.room_id, part, {}, getattr(room, part))
                facts = tuple(type(fact).__name__ for fact in room.facts)
                await audit.append_all(session, [_recorded(Deed(act, self._clock.now(), room.revision, facts))])
        except IntegrityError as error:
            raise Conflict("this request made a room already") from error

    async def save(self, before: Room, room: Room, deeds: Sequence[Deed]) -> None:
        """Writes what changed, at the version that was loaded. Raises Conflict when another version is there.

        Whoever takes a room over raises its term first: of an older owner nothing is written any more.
        """
        same = (rooms.c.room_id == room.room_id, rooms.c.version == before.version, rooms.c.term == before.term)
        at_version = and_(*same)
        async with self._database.write() as session:
            result = await session.execute(update(rooms).where(at_version).values(room_values(room)))
            if result.rowcount != 1:  # type: ignore[attr-defined]
                raise Conflict("another change of the room came between")
            for part in PART_TABLES:
                await _write_part(session, room.room_id, part, getattr(before, part), getattr(room, part))
            await audit.append_all(session, map(_recorded, deeds))

    async def reserve_epochs(self, room_id: str, ceiling: int) -> None:
        """Records that epochs below `ceiling` may be in use; the ceiling never goes back."""
        lower = and_(rooms.c.room_id == room_id, rooms.c.epoch_ceiling < ceiling)
        async with self._database.write() as session:
            await session.execute(update(rooms).where(lower).values(epoch_ceiling=ceiling))


def _recorded(deed: Deed) -> AuditRow:
    act = deed.act
    detail = {**act.detail, "revision": deed.revision, "facts": list(deed.facts)}
    return AuditRow(deed.at, act.actor_id, act.action, act.target, detail)


async def _read_parts(session: AsyncSession, room_ids: list[str]) -> Mapping[str, dict[str, list[Mapping[str, Any]]]]:
    parts: defaultdict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(
        lambda: {name: [] for name in PART_TABLES}
    )
    # SQLite takes some thousands of parameters in one statement: far more rooms than a server has live.
    for name, table in PART_TABLES.items():
        for row in (await session.execute(select(table).where(table.c.room_id.in_(room_ids)))).mappings():
            parts[row["room_id"]][name].append(dict(row))
    return parts


async def _write_part(
    session: AsyncSession, room_id: str, part: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Writes the difference between two states of one dict of a room."""
    table, key = PART_TABLES[part], key_of(part)
    gone = [each for each in before if each not in after]
    if gone:
        await _delete(session, table, key, room_id, gone)
    new = [
        {"room_id": room_id, key: each, **part_values(part, value)}
        for each, value in after.items()
        if each not in before
    ]
    if new:
        await session.execute(insert(table), new)
    for each, value in after.items():
        # Most are the very same object: only what was replaced is compared.
        if each in before and before[each] is not value and before[each] != value:
            row = and_(table.c.room_id == room_id, table.c[key] == each)
            await session.execute(update(table).where(row).values(part_values(part, value)))


async def _delete(session: AsyncSession, table: Table, key: str, room_id: str, gone: list[str]) -> None:
    for start in range(0, len(gone), 500):
        batch = gone[start : start + 500]
        await session.execute(delete(table).where(table.c.room_id == room_id, table.c[key].in_(batch)))
