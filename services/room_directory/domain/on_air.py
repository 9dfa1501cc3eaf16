"""Who of a booth is heard: one at most, whose sound is there, and who is waited for when it goes."""

from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.booths import own_booth_seat, tell_booth
from services.room_directory.domain.errors import SoundLost, StageClosed
from services.room_directory.domain.events import BoothCause
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import SessionState, StageSeat

WAITED_SECONDS = 3.0
"""How long a partner with sound waits for who is heard and lost theirs through no doing of their own, as when their
relay goes or this process began anew: they are about to be back."""


def take_over(room: Room, actor: Actor, now: datetime) -> str:
    """Makes the caller the one who is heard from their booth; returns its language.

    Whoever has no sound takes a partner who has off the air for nothing. Raises NotInBooth, SoundLost, StageClosed.
    """
    seat = own_booth_seat(room, actor)
    if room.stage_closed():
        raise StageClosed
    if not _has_sound(room, seat):
        raise SoundLost
    if not seat.active:
        _put_on_air(room, seat.booth, seat, now)
        tell_booth(room, seat.booth, now, BoothCause.TAKEN_OVER, actor.user_id)
    return seat.booth


def settle(room: Room, language: str, now: datetime, cause: BoothCause | None, by_user_id: str) -> None:
    """Sees to who is heard after a booth's people changed, and tells of it; nothing for one that is not open."""
    if language not in room.booths:
        return
    _put_on_air(room, language, _choose(room, language, now), now)
    tell_booth(room, language, now, cause, by_user_id)


def review_booths(room: Room, now: datetime) -> None:
    """Sees to who is heard after sound came or went, and tells of booths where that is somebody else now."""
    for language in room.booths:
        before = next((seat for seat in room.in_booth(language) if seat.active), None)
        heard = _choose(room, language, now)
        if heard == before:
            continue
        _put_on_air(room, language, heard, now)
        if before is not None:
            tell_booth(room, language, now, BoothCause.LOST, before.user_id)
        elif heard is not None:
            tell_booth(room, language, now, BoothCause.BACK, heard.user_id)


def waits_for_sound(room: Room) -> bool:
    """Whether somebody is kept on the air who has no sound, so that time alone may change who is heard."""
    return any(seat.active and not _has_sound(room, seat) for seat in room.stage.values())


def _choose(room: Room, language: str, now: datetime) -> StageSeat | None:
    """Whoever is heard stays so while their sound is there, or they are waited for; else one whose sound is.

    That is who was heard last, or has sat there longest.
    """
    seats = room.in_booth(language)
    sounding = [seat for seat in seats if _has_sound(room, seat)]
    heard = next((seat for seat in seats if seat.active), None)
    if heard is not None:
        patience = WAITED_SECONDS if sounding else room.rules.lost_seconds
        if heard in sounding or _is_awaited(room, heard, now, patience):
            return heard
    return min(sounding, key=lambda seat: seat.heard_since is None, default=None)


def _has_sound(room: Room, seat: StageSeat) -> bool:
    """Whether a relay hears from the person's microphone now: whoever sits down opens it later, or never."""
    held = room.seats.get(seat.user_id)
    return seat.connected and held is not None and held.session is SessionState.UP


def _is_awaited(room: Room, seat: StageSeat, now: datetime, patience: float) -> bool:
    held = room.seats.get(seat.user_id)
    if held is None or not seat.connected or held.session is not SessionState.PENDING:
        return False
    return (now - held.pending_since).total_seconds() < patience


def _put_on_air(room: Room, language: str, heard: StageSeat | None, now: datetime) -> None:
    """Lets one of a booth be heard, or nobody: then the last turn is kept for who comes back to it."""
    for seat in room.in_booth(language):
        if seat == heard:
            after = replace(seat, active=True, heard_since=seat.heard_since or now)
        else:
            after = replace(seat, active=False, heard_since=seat.heard_since if heard is None else None)
        if after != seat:
            room.put_on_stage(after)
