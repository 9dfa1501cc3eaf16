"""Who sits in booths: offers of their seats, moving between booths and the floor, and what a closed booth leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.booths import on_floor, require_booth, require_space, tell_booth
from services.room_directory.domain.errors import NotAllowed, StageClosed
from services.room_directory.domain.events import BoothCause, BoothClosed, OfferCause, RoomUpdated, StageCause
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Offer
from services.room_directory.domain.stage import back_to_audience, change_seat, close_offer, make_offer


def offer_booth(room: Room, actor: Actor, user_id: str, offer_id: str, now: datetime, *, language: str) -> Offer:
    """Offers a listener a seat in a booth; an open offer of it is returned as it is, any other is withdrawn.

    Raises NotAllowed, NotInRoom, BoothUnknown, BoothFull, StageFull, StageClosed.
    """
    room.require_upon(actor, Action.OFFER_BOOTH, user_id)
    require_booth(room, language)
    standing = room.offers.get(user_id)
    if standing is None or standing.language != language or standing.expires_at <= now:
        require_space(room, language)
    return make_offer(room, actor, user_id, offer_id, now, language=language)


def sit_in_booth(room: Room, actor: Actor, language: str, take_epoch: Callable[[], int], now: datetime) -> None:
    """Moves the caller into a booth, or with "" to the floor; somebody who is there stays.

    What was said before is heard no more where it was: the session of the old epoch is silent from now on.
    Raises NotAllowed, BoothUnknown, BoothFull, StageClosed.
    """
    room.require(actor, Action.SIT_IN_BOOTH)
    seat = room.stage_seat_of(actor.user_id)
    if not language and seat.role is Role.INTERPRETER:
        raise NotAllowed("an interpreter speaks in booths, not on the floor")
    if language:
        require_booth(room, language)
    if room.stage_closed():
        raise StageClosed
    if seat.booth == language:
        return
    if language:
        require_space(room, language)
    epoch, moved = take_epoch(), on_floor(seat)
    if language:
        moved = replace(moved, booth=language, booth_since=now)
    room.re_epoch(actor.user_id, epoch, now)
    room.raise_floor(actor.user_id, epoch)
    change_seat(room, replace(moved, epoch=epoch), "", now)


def close_booth(room: Room, actor: Actor, language: str, take_epoch: Callable[[], int], now: datetime) -> None:
    """Closes a booth, if it is open: its interpreters listen again, others of the stage are on the floor.

    Raises NotAllowed.
    """
    room.require(actor, Action.CLOSE_BOOTH)
    if room.booths.pop(language, None) is None:
        return
    for offer in [offer for offer in room.offers.values() if offer.language == language]:
        close_offer(room, offer.user_id, OfferCause.WITHDRAWN, now)
    for seat in room.in_booth(language):
        epoch, user_id = take_epoch(), seat.user_id
        if seat.role is Role.INTERPRETER:
            back_to_audience(room, user_id, epoch=epoch, cause=StageCause.MOVED, by_user_id=actor.user_id, now=now)
            continue
        room.re_epoch(user_id, epoch, now)
        room.raise_floor(user_id, epoch)
        change_seat(room, replace(on_floor(seat), epoch=epoch), actor.user_id, now)
    deaf = [seat for seat in room.stage.values() if seat.hears == language]
    for seat in deaf:
        room.put_on_stage(replace(seat, hears=""))
    for other in dict.fromkeys(seat.booth for seat in deaf):
        tell_booth(room, other, now, BoothCause.SET, actor.user_id)
    room.silent.pop(language, None)
    room.tell(BoothClosed, now, language=language)
    room.tell(RoomUpdated, now)
