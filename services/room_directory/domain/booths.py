"""Booths: which are open, whom those in them hear, and what their channels carry."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.common.errors import FieldInvalid
from services.room_directory.domain.errors import (
    BoothFull,
    BoothLoop,
    BoothUnknown,
    NotInBooth,
    StageClosed,
    TooManyBooths,
)
from services.room_directory.domain.events import BoothCause, BoothChanged, RoomUpdated
from services.room_directory.domain.languages import check_language
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Booth, BoothRule, StageSeat

MOST_BOOTHS = 16
MOST_SEATS = 3
FLOOR_OFF_DB = -100
"""The level at which the floor is not under the interpreter at all."""
QUIETEST_DB = -40


def open_booth(room: Room, actor: Actor, language: str, now: datetime) -> None:
    """Opens the booth of a language; one that is open stays as it is.

    Raises NotAllowed, LanguageInvalid, TooManyBooths, StageClosed.
    """
    room.require(actor, Action.OPEN_BOOTH)
    if room.stage_closed():
        raise StageClosed
    check_language(language)
    if language in room.booths:
        return
    if len(room.booths) >= MOST_BOOTHS:
        raise TooManyBooths(metadata={"limit": str(MOST_BOOTHS)})
    room.booths[language] = Booth(language=language, opened_at=now)
    room.tell(RoomUpdated, now)
    tell_booth(room, language, now, BoothCause.OPENED, actor.user_id)


def require_booth(room: Room, language: str) -> Booth:
    """The open booth of a language. Raises BoothUnknown."""
    booth = room.booths.get(language)
    if booth is None:
        raise BoothUnknown(metadata={"language": language})
    return booth


def require_space(room: Room, language: str) -> None:
    """Raises BoothUnknown, BoothFull."""
    require_booth(room, language)
    if len(room.in_booth(language)) >= MOST_SEATS:
        raise BoothFull(metadata={"limit": str(MOST_SEATS)})


def own_booth_seat(room: Room, actor: Actor) -> StageSeat:
    """The caller's seat in a booth. Raises RoomEnded, NotInBooth."""
    room.require_live()
    seat = room.stage.get(actor.user_id)
    if seat is None or not seat.booth:
        raise NotInBooth
    return seat


def set_booth(
    room: Room,
    actor: Actor,
    language: str,
    *,
    rule: BoothRule | None,
    floor_after_seconds: int | None,
    floor_level_db: int | None,
    now: datetime,
) -> None:
    """Changes what a channel carries beside its interpreter; None leaves it. Raises NotAllowed, BoothUnknown."""
    seat = room.stage.get(actor.user_id)
    if seat is None or seat.booth != language or not language:
        room.require(actor, Action.SET_BOOTH)
    before = require_booth(room, language)
    if floor_level_db is not None and floor_level_db != FLOOR_OFF_DB and not QUIETEST_DB <= floor_level_db <= 0:
        raise FieldInvalid(fields=(("floor_level_db", "is -40 to 0, or -100 for not at all"),))
    booth = replace(
        before,
        rule=rule or before.rule,
        floor_after_seconds=before.floor_after_seconds if floor_after_seconds is None else floor_after_seconds,
        floor_level_db=before.floor_level_db if floor_level_db is None else floor_level_db,
    )
    if booth != before:
        room.booths[language] = booth
        tell_booth(room, language, now, BoothCause.SET, actor.user_id)


def set_hearing(room: Room, actor: Actor, language: str, now: datetime) -> str:
    """Lets the caller hear another booth, or with "" the floor; returns the language of their own booth.

    Raises NotInBooth, BoothUnknown, BoothLoop.
    """
    seat = own_booth_seat(room, actor)
    if language:
        require_booth(room, language)
        if seat.booth in booths_heard_in(room, language):
            raise BoothLoop(metadata={"language": language})
    if seat.hears != language:
        room.put_on_stage(replace(seat, hears=language))
        tell_booth(room, seat.booth, now, BoothCause.SET, actor.user_id)
    return seat.booth


def why_changed(before: StageSeat, after: StageSeat, language: str) -> BoothCause | None:
    """What a change of one seat means for a booth that it is or was in."""
    if before.booth != after.booth:
        return BoothCause.SEATED if after.booth == language else BoothCause.LEFT
    if before.connected is not after.connected:
        return BoothCause.BACK if after.connected else BoothCause.LOST
    return BoothCause.MUTED if before.muted is not after.muted else None


def hear_silence(room: Room, silent: Mapping[str, datetime], now: datetime) -> None:
    """Notes since when nothing is heard from booths although somebody speaks on the floor; tells of what is new."""
    for language in room.booths:
        if (language in silent) is not (language in room.silent):
            if language in silent:
                room.silent[language] = silent[language]
            else:
                del room.silent[language]
            tell_booth(room, language, now, BoothCause.SILENCE, "")


def tell_booth(room: Room, language: str, now: datetime, cause: BoothCause | None, by_user_id: str) -> None:
    """Notes how a booth is now, and why."""
    booth, seats = room.booths[language], tuple(room.in_booth(language))
    since = room.silent.get(language)
    room.tell(BoothChanged, now, booth=booth, seats=seats, silent_since=since, cause=cause, by_user_id=by_user_id)


def on_floor(seat: StageSeat) -> StageSeat:
    """The seat outside of any booth."""
    return replace(seat, booth="", booth_since=None, active=False, heard_since=None, hears="")


def booths_heard_in(room: Room, language: str) -> set[str]:
    """The booths whose sound comes into one of this language, itself among them, at once or over others."""
    found, left = {language}, [language]
    while left:
        heard = {seat.hears for seat in room.in_booth(left.pop()) if seat.hears} - found
        found |= heard
        left += sorted(heard)
    return found
