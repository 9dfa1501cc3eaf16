"""Deletes rooms that are over, reports that are settled and relays that are gone, after their time."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import and_

from services.common.clock import Clock
from services.common.store.database import Database
from services.common.store.retention import Keeping, delete_rows
from services.room_directory.domain.seats import RoomState
from services.room_directory.storage.tables import (
    audit,
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
_RELAY_DAYS = 30


class Days(Protocol):
    """How long operators keep what."""

    @property
    def ended_room_days(self) -> int: ...

    @property
    def resolved_report_days(self) -> int: ...

    @property
    def audit_days(self) -> int: ...


def keepings(days: Days, database: Database, clock: Clock) -> list[Keeping]:
    """All that is deleted after its time."""
    return [
        Keeping("rooms", days.ended_room_days, lambda before: delete_ended_rooms(database, before)),
        Keeping("reports", days.resolved_report_days, lambda before: delete_resolved_reports(database, before)),
        Keeping("relays", _RELAY_DAYS, lambda before: delete_silent_relays(database, before)),
        Keeping("audit", days.audit_days, lambda before: audit.delete_before(database, before, clock.now())),
    ]


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
