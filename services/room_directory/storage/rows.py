"""Rooms to rows and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table

from services.room_directory.domain.roles import Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import (
    Booth,
    BoothRule,
    Captioner,
    Hand,
    HandMode,
    LineOrder,
    Offer,
    RoomState,
    Rules,
    StageSeat,
    Visibility,
)
from services.room_directory.storage import tables

PART_TABLES: dict[str, Table] = {
    "stage": tables.stage_seats,
    "hands": tables.hands,
    "offers": tables.offers,
    "guests": tables.guests,
    "removed": tables.removals,
    "floors": tables.floors,
    "booths": tables.booths,
    "captioners": tables.captioners,
}
"""Which dict of a room is kept in which table, one row for each key."""


def key_of(part: str) -> str:
    """The column with the keys of a dict of a room."""
    return "language" if part == "booths" else "user_id"


def room_values(room: Room) -> dict[str, Any]:
    """The room's own row, without its epoch ceiling."""
    return {
        "request_id": room.request_id,
        "creator_id": room.creator_id,
        "title": room.title,
        "description": room.description,
        "language": room.language,
        "visibility": room.visibility.value,
        "hand_mode": room.hand_mode.value,
        "line_order": room.line_order.value,
        "rehearsal": room.rehearsal,
        "open_to_web": room.open_to_web,
        "web_listener_limit": room.web_listener_limit,
        "room_key": room.room_key,
        "home_relay_id": room.home_relay_id,
        "state": room.state.value,
        "state_since": room.state_since,
        "started_at": room.started_at,
        "ended_at": room.ended_at,
        "revision": room.revision,
        "queue_revision": room.queue_revision,
        "version": room.version,
    }


def part_values(part: str, value: Any) -> dict[str, Any]:
    """The columns of one row of a dict, without room and key."""
    match part:
        case "stage":
            seat: StageSeat = value
            return {
                "role": seat.role.value,
                "member": seat.member,
                "epoch": seat.epoch,
                "since": seat.since,
                "muted": seat.muted,
                "muted_by_moderator": seat.muted_by_moderator,
                "successor": seat.successor,
                "connected": seat.connected,
                "lost_at": seat.lost_at,
                "booth": seat.booth,
                "booth_since": seat.booth_since,
                "active": seat.active,
                "heard_since": seat.heard_since,
                "hears": seat.hears,
                "speaks": seat.speaks,
            }
        case "hands":
            hand: Hand = value
            return {
                "question": hand.question,
                "language": hand.language,
                "raised_at": hand.raised_at,
                "expires_at": hand.expires_at,
            }
        case "offers":
            offer: Offer = value
            return {
                "offer_id": offer.offer_id,
                "by_user_id": offer.by_user_id,
                "expires_at": offer.expires_at,
                "language": offer.language,
            }
        case "booths":
            booth: Booth = value
            return {
                "opened_at": booth.opened_at,
                "rule": booth.rule.value,
                "floor_after_seconds": booth.floor_after_seconds,
                "floor_level_db": booth.floor_level_db,
            }
        case "captioners":
            captioner: Captioner = value
            return {
                "languages": " ".join(captioner.languages),
                "muted": captioner.muted,
                "since": captioner.since,
            }
        case "floors":
            return {"epoch": value}
        case _:
            return {"at": value}


def read_room(row: Mapping[str, Any], parts: Mapping[str, Iterable[Mapping[str, Any]]], rules: Rules) -> Room:
    """A room from its row and those of its people; seats are not kept and stay empty."""
    return Room(
        room_id=row["room_id"],
        request_id=row["request_id"],
        creator_id=row["creator_id"],
        title=row["title"],
        description=row["description"],
        language=row["language"],
        visibility=Visibility(row["visibility"]),
        hand_mode=HandMode(row["hand_mode"]),
        line_order=LineOrder(row["line_order"]),
        rehearsal=row["rehearsal"],
        open_to_web=row["open_to_web"],
        web_listener_limit=row["web_listener_limit"],
        room_key=row["room_key"],
        home_relay_id=row["home_relay_id"],
        state=RoomState(row["state"]),
        state_since=row["state_since"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        revision=row["revision"],
        queue_revision=row["queue_revision"],
        version=row["version"],
        term=row["term"],
        rules=rules,
        stage={each["user_id"]: _stage_seat(each, row["language"]) for each in parts["stage"]},
        hands={each["user_id"]: _hand(each) for each in sorted(parts["hands"], key=_by_time)},
        offers={each["user_id"]: _offer(each) for each in parts["offers"]},
        guests={each["user_id"]: each["at"] for each in parts["guests"]},
        removed={each["user_id"]: each["at"] for each in parts["removed"]},
        floors={each["user_id"]: each["epoch"] for each in parts["floors"]},
        booths={each["language"]: _booth(each) for each in sorted(parts["booths"], key=_by_opening)},
        captioners={each["user_id"]: _captioner(each) for each in sorted(parts["captioners"], key=_by_grant)},
    )


def _by_time(row: Mapping[str, Any]) -> Any:
    return row["raised_at"], row["user_id"]


def _stage_seat(row: Mapping[str, Any], spoken: str) -> StageSeat:
    """A seat; an older release says of nobody what they speak: it counts as what the room does."""
    values = {name: row[name] for name in row if name not in {"room_id", "role"}}
    return StageSeat(role=Role(row["role"]), **values | {"speaks": row["speaks"] or spoken})


def _hand(row: Mapping[str, Any]) -> Hand:
    return Hand(**{name: row[name] for name in row if name != "room_id"})


def _offer(row: Mapping[str, Any]) -> Offer:
    return Offer(**{name: row[name] for name in row if name != "room_id"})


def _by_opening(row: Mapping[str, Any]) -> Any:
    return row["opened_at"], row["language"]


def _booth(row: Mapping[str, Any]) -> Booth:
    values = {name: row[name] for name in row if name not in {"room_id", "rule"}}
    return Booth(rule=BoothRule(row["rule"]), **values)


def _by_grant(row: Mapping[str, Any]) -> Any:
    return row["since"], row["user_id"]


def _captioner(row: Mapping[str, Any]) -> Captioner:
    languages = tuple(row["languages"].split())
    return Captioner(user_id=row["user_id"], languages=languages, muted=row["muted"], since=row["since"])
