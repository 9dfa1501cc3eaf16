"""Rooms that are over, settled reports and silent relays go after their time; a deleted person leaves no trace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from services.common.store.database import Database
from services.room_directory.app.ports import Act
from services.room_directory.storage.ledger import SqlLedger
from services.room_directory.storage.retention import (
    ROOM_PARTS,
    delete_ended_rooms,
    delete_resolved_reports,
    delete_silent_relays,
)
from services.room_directory.storage.tables import metadata, relays, reports, rooms
from tests.support.fake_clock import FakeClock

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BEFORE = NOW - timedelta(days=90)
LONG_AGO = NOW - timedelta(days=91)
LINA, OMAR = "lina000000", "omar000000"


def filled(table: Any, **given: Any) -> dict[str, Any]:
    """A row: what is given, and something harmless of the right type elsewhere."""
    harmless: dict[str, Any] = {"VARCHAR": "x", "TEXT": "x", "BIGINT": 1, "INTEGER": 1, "BOOLEAN": False}
    return {
        column.name: given.get(column.name, harmless.get(str(column.type).split("(")[0], NOW)) for column in table.c
    }


async def add_room(database: Database, room_id: str, creator_id: str, ended_at: datetime | None) -> None:
    state = "ended" if ended_at else "live"
    given = {"room_id": room_id, "creator_id": creator_id, "state": state, "ended_at": ended_at, "request_id": room_id}
    async with database.write() as session:
        await session.execute(insert(rooms).values(filled(rooms, **given)))
        for column in ROOM_PARTS:
            for user_id, member, language in ((LINA, 1, "ar"), (OMAR, 2, "ru")):
                row = filled(column.table, room_id=room_id, user_id=user_id, member=member, language=language)
                await session.execute(insert(column.table).values(row))


async def add_report(database: Database, report_id: str, *, resolved: bool, at: datetime) -> None:
    given = {"report_id": report_id, "resolved": resolved, "created_at": at, "reporter_id": LINA, "subject_id": OMAR}
    async with database.write() as session:
        await session.execute(insert(reports).values(filled(reports, **given)))


async def left(database: Database, column: Any) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(column)))


@pytest.fixture
async def tables(database: Database) -> Database:
    await database.create_all(metadata)
    return database


async def test_a_room_goes_with_its_people_long_after_its_end(tables: Database) -> None:
    await add_room(tables, "gone000000", LINA, LONG_AGO)
    await add_room(tables, "recent0000", LINA, NOW)
    await add_room(tables, "live000000", LINA, None)
    assert await delete_ended_rooms(tables, BEFORE) == 1
    for column in (rooms.c.room_id, *ROOM_PARTS):
        assert await left(tables, column) == {"recent0000", "live000000"}, column


async def test_a_settled_report_goes_and_an_open_one_waits(tables: Database) -> None:
    await add_report(tables, "settled000", resolved=True, at=LONG_AGO)
    await add_report(tables, "open000000", resolved=False, at=LONG_AGO)
    await add_report(tables, "young00000", resolved=True, at=NOW)
    assert await delete_resolved_reports(tables, BEFORE) == 1
    assert await left(tables, reports.c.report_id) == {"open000000", "young00000"}


async def test_a_relay_not_heard_of_for_long_is_forgotten(tables: Database) -> None:
    async with tables.write() as session:
        await session.execute(insert(relays).values(filled(relays, relay_id="silent0000", seen_at=LONG_AGO)))
        await session.execute(insert(relays).values(filled(relays, relay_id="alive00000", seen_at=NOW)))
    assert await delete_silent_relays(tables, BEFORE) == 1
    assert await left(tables, relays.c.relay_id) == {"alive00000"}


async def test_a_deleted_person_leaves_no_trace_in_rooms_that_are_over(tables: Database) -> None:
    await add_room(tables, "theirs0000", LINA, NOW)
    await add_room(tables, "another000", OMAR, NOW)
    await add_report(tables, "report0000", resolved=False, at=NOW)
    ledger = SqlLedger(tables, FakeClock())
    await ledger.block(OMAR, LINA, Act(OMAR, "block", LINA))
    await ledger.forget_person(LINA, Act("auth", "account_deleted", LINA))
    assert await left(tables, rooms.c.room_id) == {"another000"}
    for column in ROOM_PARTS:
        if "user_id" in column.table.c:
            assert await left(tables, column.table.c.user_id) == {OMAR}, column
    assert LINA not in await left(tables, reports.c.reporter_id)
    assert await ledger.blocks() == []
    assert await left(tables, reports.c.subject_id) == {OMAR}


async def test_a_deleted_person_s_seat_in_a_live_room_is_left_to_the_room_s_own_rules(tables: Database) -> None:
    await add_room(tables, "live000000", OMAR, None)
    await SqlLedger(tables, FakeClock()).forget_person(LINA, Act("auth", "account_deleted", LINA))
    floors = next(column.table for column in ROOM_PARTS if column.table.name == "epoch_floors")
    assert LINA in await left(tables, floors.c.user_id)
