"""Deletes rooms that are over, reports that are settled and relays that are gone, after their time."""

from datetime import datetime

from sqlalchemy import and_

from services.common.store.database import Database
from services.common.store.retention import delete_rows
from services.room_directory.domain.seats import RoomState
from services.room_directory.storage.tables import (
    booths,
    captioners,
    floors,
    guests,
    hands,
    offers,
    relays,
    removals,
    reports,
    rooms,
)
from services.room_directory.storage.tables import stage_seats as seats

ROOM_PARTS = tuple(table.c.room_id for table in (seats, hands, offers, guests, removals, floors, booths, captioners))


async def delete_ended_rooms(database: Database, before: datetime) -> int:
    """Deletes rooms that ended before a moment, with all they kept of their people."""
    over = and_(rooms.c.state == RoomState.ENDED.value, rooms.c.ended_at < before)
    return await delete_rows(database, rooms.c.room_id, over, ROOM_PARTS)


async def delete_rooms_of(database: Database, user_id: str) -> int:
    """Deletes the rooms that are over which a person made: their titles are that person's words."""
    over = and_(rooms.c.state == RoomState.ENDED.value, rooms.c.creator_id == user_id)
    return await delete_rows(database, rooms.c.room_id, over, ROOM_PARTS)


async def delete_resolved_reports(database: Database, before: datetime) -> int:
    """Deletes reports written before a moment that an operator has resolved; open ones wait for one."""
    done = and_(reports.c.resolved.is_(True), reports.c.created_at < before)
    return await delete_rows(database, reports.c.report_id, done)


async def delete_silent_relays(database: Database, before: datetime) -> int:
    """Deletes relays not heard of since a moment."""
    return await delete_rows(database, relays.c.relay_id, relays.c.seen_at < before)
