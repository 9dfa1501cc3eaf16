"""Taking back what a moderator did a moment ago: a mute, a moderator made, a hand put down."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.room_directory.domain import hands, stage
from services.room_directory.domain.errors import NothingToTakeBack
from services.room_directory.domain.events import SeatAction
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Deed, DeedKind, Hand, HandMode, StageSeat

WINDOW = timedelta(seconds=10)
"""Longer, and a mute taken back would open the microphone of somebody who has settled into being unheard."""
MOST_DEEDS = 64
"""What is remembered of a room: more than moderators can do in that time."""


def set_own_mute(room: Room, actor: Actor, muted: bool, now: datetime) -> None:
    """Switches the caller's own microphone; no mute of before can open it then. Raises NotAllowed, StageClosed."""
    stage.set_own_mute(room, actor, muted, now)
    _forget(room, DeedKind.MUTE, actor.user_id)


def mute_speaker(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Switches somebody's microphone off; they may switch it on again. Raises NotAllowed, NotOnStage."""
    was = room.stage.get(user_id)
    stage.mute_speaker(room, actor, user_id, now)
    # Whoever mutes too wants it off, so it is no longer one person's to take back.
    _forget(room, DeedKind.MUTE, user_id, but_of=actor.user_id)
    if was is not None and not was.muted and user_id != actor.user_id:
        _remember(room, actor, DeedKind.MUTE, was, now)


def make_moderator(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Lets a speaker lead too. Raises NotAllowed, NotOnStage."""
    was = room.stage.get(user_id)
    stage.make_moderator(room, actor, user_id, now)
    _forget(room, DeedKind.MAKE_MODERATOR, user_id, but_of=actor.user_id)
    if was is not None and was.role is not Role.MODERATOR:
        _remember(room, actor, DeedKind.MAKE_MODERATOR, was, now)


def dismiss_hand(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Takes somebody's hand down, if it is up. Raises NotAllowed."""
    was = room.hands.get(user_id)
    hands.dismiss_hand(room, actor, user_id, now)
    if was is not None:
        _remember(room, actor, DeedKind.DISMISS_HAND, was, now)


def take_back(room: Room, actor: Actor, kind: DeedKind, user_id: str, now: datetime) -> None:
    """Makes it as it was, as far as it still is as the caller made it. Raises NotAllowed, NothingToTakeBack."""
    room.require(actor, Action.TAKE_BACK)
    deed = room.deeds.pop((actor.user_id, kind, user_id), None)
    if deed is None or now - deed.at > WINDOW:
        raise NothingToTakeBack
    if isinstance(deed.was, Hand):
        _hand_up_again(room, deed.was, now)
        return
    seat = room.stage.get(user_id)
    if kind is DeedKind.MUTE and seat is not None and seat.muted_by_moderator and not room.stage_closed():
        room.order(user_id, seat.epoch, SeatAction.UNMUTE)
        stage.change_seat(room, replace(seat, muted=False, muted_by_moderator=False), actor.user_id, now)
    elif kind is DeedKind.MAKE_MODERATOR and seat is not None and _leads_still(seat, deed.was):
        changed = replace(seat, role=deed.was.role, successor=deed.was.successor)
        stage.change_seat(room, changed, actor.user_id, now)
    else:
        raise NothingToTakeBack


def _leads_still(seat: StageSeat, was: StageSeat) -> bool:
    """Whether somebody leads who can be again what they were: an interpreter's place is in a booth."""
    return seat.role is Role.MODERATOR and (was.role is not Role.INTERPRETER or bool(seat.booth))


def _remember(room: Room, actor: Actor, kind: DeedKind, was: StageSeat | Hand, now: datetime) -> None:
    """Keeps what was, for as long as it can be brought back."""
    kept = [(key, deed) for key, deed in room.deeds.items() if now - deed.at <= WINDOW]
    room.deeds = dict(kept[-MOST_DEEDS + 1 :])
    room.deeds[(actor.user_id, kind, was.user_id)] = Deed(at=now, was=was)


def _forget(room: Room, kind: DeedKind, user_id: str, but_of: str = "") -> None:
    """Lets go of what others did to somebody: somebody has decided anew."""
    room.deeds = {
        key: deed for key, deed in room.deeds.items() if key[0] == but_of or (key[1], key[2]) != (kind, user_id)
    }


def _hand_up_again(room: Room, hand: Hand, now: datetime) -> None:
    """Puts a hand back where it was in the queue, with its whole time before it."""
    user_id = hand.user_id
    listens = room.role_of(user_id) is Role.LISTENER and user_id not in room.offers
    if not listens or user_id in room.hands or room.hand_mode is HandMode.OFF:
        raise NothingToTakeBack
    expires_at = now + room.rules.hand_life()
    queue = [*room.hands.values(), replace(hand, expires_at=expires_at)]
    room.hands = {each.user_id: each for each in sorted(queue, key=lambda each: each.raised_at)}
    hands.tell_raised(room, user_id, now)
