"""Coming in and going: who may, what seat they get, and what becomes of it when they leave."""

from dataclasses import replace
from datetime import datetime

from services.room_directory.domain import captions
from services.room_directory.domain.booths import require_booth
from services.room_directory.domain.ended import Ended
from services.room_directory.domain.errors import Blocked, NotAllowed, Removed, RoomClosed, RoomFull, SeatTakenOver
from services.room_directory.domain.events import OfferCause, SeatAction, StageCause
from services.room_directory.domain.events import SeatTakenOver as SeatWasTakenOver
from services.room_directory.domain.hands import drop_hand
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.moderation import holds_key, put_out
from services.room_directory.domain.people import Actor
from services.room_directory.domain.presence import review
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandCause, MediaKind, Seat, Visibility
from services.room_directory.domain.stage import change_seat, close_offer, drop_from_stage, is_last_moderator


def check_entry(room: Room, actor: Actor, key: str, *, blocked: bool) -> None:
    """Raises unless the person may see and enter the room: Removed, Blocked, RoomClosed.

    `blocked` says whether one of those who lead the room has blocked the person.
    """
    user_id = actor.user_id
    if user_id in room.removed:
        raise Removed
    if user_id in room.stage:
        return
    if blocked:
        raise Blocked
    asked_in = user_id in room.guests or user_id in room.seats or user_id == room.creator_id
    if room.visibility is Visibility.CLOSED and not asked_in and not holds_key(room, key):
        raise RoomClosed


def take_seat(room: Room, actor: Actor, key: str, *, blocked: bool, epoch: int, now: datetime, held: int = 0) -> Seat:
    """Seats the person; a seat held on another device is taken over.

    `held` seats are held for others, who wait for them.
    Raises RoomEnded, Removed, Blocked, RoomClosed, RoomFull, ScopeMissing.
    """
    room.require_live()
    check_entry(room, actor, key, blocked=blocked)
    user_id = actor.user_id
    before, on_stage = room.seats.get(user_id), room.stage.get(user_id)
    if on_stage is not None:
        # A seat on stage comes with the microphone, and taking it over silences the device that speaks.
        actor.require_speech()
    if before is None and on_stage is None and room.listener_count() + held >= room.rules.listener_limit:
        raise RoomFull(metadata={"limit": str(room.rules.listener_limit)})
    seat = Seat(
        user_id=user_id,
        epoch=epoch,
        device_epoch=epoch,
        joined_at=now,
        pending_since=now,
        absent_since=now,
        unheard_since=(before.unheard_since if before is not None else None) or now,
        proof=actor.proof,
    )
    room.note_silence(user_id, now)
    room.seats[user_id] = seat
    if on_stage is not None:
        room.put_on_stage(replace(on_stage, epoch=epoch))
    if before is not None or on_stage is not None:
        room.order(user_id, epoch, SeatAction.END)
    if before is not None and before.in_use():
        room.tell(SeatWasTakenOver, now, user_id=user_id, epoch=epoch)
    return seat


def goes_before(room: Room, user_id: str, now: datetime) -> bool:
    """Whether newcomers who wait come after this person: asked in by name, or just back from the room."""
    return user_id in room.guests or user_id == room.creator_id or room.had_sound(user_id, now)


def stands_in_no_line(room: Room, user_id: str) -> bool:
    """Whether the person needs no seat of the audience, or has one."""
    return user_id in room.stage or user_id in room.seats


def leave_room(room: Room, actor: Actor, held_epoch: int, *, epoch: int, now: datetime) -> None:
    """Gives the caller's seat up; leaving twice changes nothing.

    `held_epoch` is the epoch the caller believes to hold, 0 for any; `epoch` is newer than any. The last one who leads
    keeps the place on stage, unconnected, so that the room waits for them. Raises SeatTakenOver.
    """
    user_id = actor.user_id
    seat, on_stage = room.seats.get(user_id), room.stage.get(user_id)
    if seat is None and (on_stage is None or not on_stage.connected):
        return
    if seat is not None and 0 < held_epoch < seat.device_epoch:
        raise SeatTakenOver
    drop_hand(room, user_id, HandCause.LEFT, now)
    close_offer(room, user_id, OfferCause.LEFT, now)
    if on_stage is not None and is_last_moderator(room, user_id):
        change_seat(room, replace(on_stage, epoch=epoch, connected=False, lost_at=now), "", now)
    else:
        drop_from_stage(room, user_id, epoch=epoch, cause=StageCause.LEFT, by_user_id="", now=now)
    room.vacate(user_id, epoch, now)
    review(room, now)


def expel(room: Room, user_id: str, closed: Ended, *, epoch: int, now: datetime) -> None:
    """Takes a person out because their account may not be used any more; the room then goes on without them.

    A seat taken after the account was opened again stays: the news of its closing may come twice.
    """
    seat = room.seats.get(user_id)
    if (seat is not None and closed.covers(user_id, seat.proof)) or (seat is None and user_id in room.stage):
        captions.forget(room, user_id, now)
        put_out(room, user_id, cause=StageCause.REMOVED, by_user_id="", epoch=epoch, now=now)
        review(room, now)


def end_sign_in(room: Room, user_id: str, ended: Ended, *, epoch: int, now: datetime) -> None:
    """Ends what somebody holds here by a sign-in that has ended: their seat, or sessions opened beside it.

    A seat that was taken by another sign-in stays; one of which it is not known ends, to be on the safe side.
    """
    seat = room.seats.get(user_id)
    if seat is not None and ended.covers(user_id, seat.proof):
        leave_room(room, Actor(user_id), 0, epoch=epoch, now=now)
    else:
        end_sessions(room, ended)


def end_sessions(room: Room, ended: Ended) -> None:
    """Ends the sessions that a sign-in opened for a seat that another one holds, and refuses its permits."""
    seat = room.seats.get(ended.user_id)
    if seat is not None and ended.sign_in_id:
        room.order(ended.user_id, seat.epoch, SeatAction.END_SIGN_IN, ended.sign_in_id)


def check_media(room: Room, actor: Actor, kind: MediaKind, wish: Wish = AS_SPOKEN) -> Seat:
    """The seat a media session of that kind would serve, for somebody who wants to hear this.

    Raises RoomEnded, NotInRoom, NotOnStage, NotAllowed, ScopeMissing, BoothUnknown.
    """
    seat = room.seat_of(actor.user_id)
    role = room.role_of(actor.user_id)
    if kind is MediaKind.STAGE:
        actor.require_speech()
        room.stage_seat_of(actor.user_id)
        room.require(actor, Action.SPEAK)
    elif role is not Role.LISTENER:
        raise NotAllowed("people on stage hear it through their stage session")
    else:
        room.require(actor, Action.LISTEN)
        check_wish(room, actor.user_id, wish)
    return seat


def check_wish(room: Room, user_id: str, wish: Wish) -> None:
    """Raises BoothUnknown unless the person can hear that; the stage hears the stage, whatever they ask."""
    if wish.booth and user_id not in room.stage:
        require_booth(room, wish.booth)


def expect_session(room: Room, user_id: str, relay_id: str) -> None:
    """Notes through which relay a seat's first session is to come; one that has a session stays where that is."""
    seat = room.seats[user_id]
    if not seat.session_id:
        room.seats[user_id] = replace(seat, relay_id=relay_id)
