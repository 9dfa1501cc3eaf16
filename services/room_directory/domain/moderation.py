"""Leading a room: its settings, its end, and who may be in it."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from services.room_directory.domain import captions
from services.room_directory.domain.errors import NotAllowed, WebNotAllowed
from services.room_directory.domain.events import OfferCause, PersonRemoved, RoomEnded, RoomUpdated, StageCause
from services.room_directory.domain.hands import drop_all_hands, drop_hand, tell_raised
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandCause, HandMode, LineOrder, RoomState, Visibility
from services.room_directory.domain.stage import change_seat, close_offer, drop_from_stage
from services.room_directory.domain.texts import clean_description, clean_title


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEdit:
    """New settings of a room; None leaves one as it is."""

    title: str | None = None
    description: str | None = None
    hand_mode: HandMode | None = None
    visibility: Visibility | None = None
    line_order: LineOrder | None = None
    open_to_web: bool | None = None
    web_listener_limit: int | None = None

    @property
    def only_closes_to_web(self) -> bool:
        """Whether it takes away and gives nothing, so that it must not wait for a disk."""
        return self == RoomEdit(open_to_web=False)


def update_room(room: Room, actor: Actor, edit: RoomEdit, *, new_key: str, now: datetime) -> None:
    """Changes settings; hands off lowers all hands, and a room that closes gets `new_key`.

    The order of the line is for whoever started the room alone. A room that closes is closed to the web as well.
    Raises NotAllowed, TitleInvalid, FieldInvalid, WebNotAllowed.
    """
    room.require(actor, Action.UPDATE_ROOM)
    line_order = edit.line_order or room.line_order
    if line_order is not room.line_order and actor.user_id != room.creator_id:
        raise NotAllowed("whoever started the room says in which order people come in")
    title = room.title if edit.title is None else clean_title(edit.title)
    description = room.description if edit.description is None else clean_description(edit.description)
    hand_mode, visibility = edit.hand_mode or room.hand_mode, edit.visibility or room.visibility
    open_to_web = _open_to_web(room, edit, visibility)
    limit = room.web_listener_limit if edit.web_listener_limit is None else edit.web_listener_limit
    before = (room.title, room.description, room.hand_mode, room.visibility, room.line_order)
    web = (room.open_to_web, room.web_listener_limit)
    if before == (title, description, hand_mode, visibility, line_order) and web == (open_to_web, limit):
        return
    if visibility is not room.visibility:
        room.room_key = new_key if visibility is Visibility.CLOSED else ""
    room.title, room.description, room.hand_mode, room.visibility = title, description, hand_mode, visibility
    room.line_order = line_order
    room.open_to_web, room.web_listener_limit = open_to_web, limit
    room.tell(RoomUpdated, now)
    if hand_mode is HandMode.OFF:
        drop_all_hands(room, now)


def _open_to_web(room: Room, edit: RoomEdit, visibility: Visibility) -> bool:
    """Whether the room is open to the web after the edit. Raises WebNotAllowed."""
    if not edit.open_to_web:
        return room.open_to_web and edit.open_to_web is None and visibility is Visibility.OPEN
    if visibility is not Visibility.OPEN:
        raise WebNotAllowed("a closed room is not for the web: open it to the community first")
    if room.rehearsal:
        raise WebNotAllowed("the room rehearses: go live first")
    if not room.rules.web_listener_limit:
        raise WebNotAllowed("the operator of this deployment lets no room be opened to the web")
    return True


def go_live(room: Room, actor: Actor, now: datetime) -> None:
    """Ends a rehearsal, if it is one. Raises NotAllowed."""
    room.require(actor, Action.GO_LIVE)
    if room.rehearsal:
        room.rehearsal = False
        room.tell(RoomUpdated, now)


def end_room(room: Room, actor: Actor, now: datetime) -> None:
    """Ends the room for all; a room that is over stays over. Raises NotAllowed."""
    if room.state is RoomState.ENDED:
        return
    room.require(actor, Action.END_ROOM)
    close_down(room, now)


def close_down(room: Room, now: datetime) -> None:
    """Makes the room over: nobody is in it any more, nothing is open, and who was asked in or removed is forgotten."""
    room.state, room.state_since, room.ended_at = RoomState.ENDED, now, now
    room.seats.clear()
    room.hands.clear()
    room.offers.clear()
    room.stage.clear()
    room.guests.clear()
    room.removed.clear()
    room.floors.clear()
    room.booths.clear()
    room.captioners.clear()
    room.open_to_web = False
    room.tell(RoomEnded, now)


def remove_person(room: Room, actor: Actor, user_id: str, *, epoch: int, now: datetime) -> None:
    """Puts somebody out; they cannot return until readmitted. Raises NotAllowed."""
    room.require_upon(actor, Action.REMOVE_PERSON, user_id)
    if user_id in room.removed and user_id not in room.seats and user_id not in room.stage:
        return
    room.removed[user_id] = now
    room.guests.pop(user_id, None)
    captions.forget(room, user_id, now)
    put_out(room, user_id, cause=StageCause.REMOVED, by_user_id=actor.user_id, epoch=epoch, now=now)
    room.tell(PersonRemoved, now, user_id=user_id)


def readmit_person(room: Room, actor: Actor, user_id: str) -> None:
    """Lets a removed person come back. Raises NotAllowed."""
    room.require_upon(actor, Action.READMIT_PERSON, user_id)
    if room.removed.pop(user_id, None) is not None:
        room.changed = True


def add_guest(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Lets a person into the room while it is closed. Raises NotAllowed."""
    room.require(actor, Action.ADD_GUEST)
    ask_in(room, user_id, now)


def ask_in(room: Room, user_id: str, now: datetime) -> None:
    """Makes a person a guest; asking again changes nothing."""
    if user_id not in room.guests:
        room.guests[user_id] = now
        room.changed = True


def put_out(room: Room, user_id: str, *, cause: StageCause, by_user_id: str, epoch: int, now: datetime) -> None:
    """Takes everything a person has in the room and ends their sessions; `epoch` is newer than any of theirs."""
    drop_hand(room, user_id, HandCause.LEFT, now)
    close_offer(room, user_id, OfferCause.LEFT, now)
    drop_from_stage(room, user_id, epoch=epoch, cause=cause, by_user_id=by_user_id, now=now)
    room.raise_floor(user_id, epoch)
    room.vacate(user_id, epoch, now)


def renamed(room: Room, user_id: str, now: datetime) -> None:
    """Tells of a person whose profile changed, where the room shows them."""
    on_stage = room.stage.get(user_id)
    if on_stage is not None:
        change_seat(room, on_stage, "", now)
    if user_id in room.hands:
        tell_raised(room, user_id, now)
    if user_id in room.captioners:
        captions.tell_captioners(room, now)
    if user_id == room.creator_id:
        room.tell(RoomUpdated, now)


def holds_key(room: Room, key: str) -> bool:
    """Whether `key` opens the closed room; takes as long for a wrong key as for the right one."""
    return bool(room.room_key) and hmac.compare_digest(room.room_key.encode(), key.encode())
