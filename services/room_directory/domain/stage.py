"""The stage: offers, coming on, microphones, and going back to the audience."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.booths import require_space, why_changed
from services.room_directory.domain.errors import (
    LastModerator,
    NotAllowed,
    NotInRoom,
    OfferGone,
    StageClosed,
    StageFull,
)
from services.room_directory.domain.events import (
    BoothCause,
    OfferCause,
    OfferClosed,
    SeatAction,
    StageCause,
    StageJoined,
    StageLeft,
    StageOffered,
    StageSeatChanged,
)
from services.room_directory.domain.hands import drop_hand
from services.room_directory.domain.languages import check_language
from services.room_directory.domain.on_air import settle
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandCause, Offer, StageSeat


def offer_stage(room: Room, actor: Actor, user_id: str, offer_id: str, now: datetime) -> Offer:
    """Offers a listener the stage, hand up or not; an open offer to them is returned as it is.

    Raises NotAllowed, NotInRoom, StageFull, StageClosed.
    """
    room.require_upon(actor, Action.OFFER_STAGE, user_id)
    return make_offer(room, actor, user_id, offer_id, now)


def make_offer(room: Room, actor: Actor, user_id: str, offer_id: str, now: datetime, *, language: str = "") -> Offer:
    """Offers a place on the floor or in a booth; an open offer of that place stands, one of another is withdrawn.

    Raises StageFull, StageClosed.
    """
    _require_open(room)
    standing = room.offers.get(user_id)
    if standing is not None and standing.expires_at > now and standing.language == language:
        return standing
    _require_space(room)
    close_offer(room, user_id, OfferCause.WITHDRAWN, now)
    expires_at = now + room.rules.offer_life()
    offer = Offer(
        offer_id=offer_id, user_id=user_id, by_user_id=actor.user_id, expires_at=expires_at, language=language
    )
    room.offers[user_id] = offer
    room.tell(StageOffered, now, offer=offer)
    return offer


def withdraw_offer(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Takes an offer back, if there is one. Raises NotAllowed."""
    room.require_upon(actor, Action.WITHDRAW_OFFER, user_id)
    close_offer(room, user_id, OfferCause.WITHDRAWN, now)


def free_member(room: Room, numbers: Iterable[int]) -> int:
    """The first of the numbers that stands for nobody on stage. Raises ValueError when all do."""
    taken = {seat.member for seat in room.stage.values()}
    for number in numbers:
        if number not in taken:
            return number
    raise ValueError("no number is free: the source of randomness repeats itself")


def accept_offer(
    room: Room, actor: Actor, offer_id: str, *, member: int, epoch: int, now: datetime, speaks: str = ""
) -> None:
    """Brings the caller on stage, microphone on (the client has checked it): as a speaker, or into the offered booth.

    `member` is the number that will stand for the person in CSRC lists; a number taken by somebody else is refused as a
    broken promise of the caller's. `speaks` is the first language of their profile; that of a hand counts before it.
    Raises NotAllowed, NotInRoom, OfferGone, StageFull, BoothFull, StageClosed.
    """
    _require_inside(room, actor)
    room.require(actor, Action.ACCEPT_OFFER)
    language = _open_offer(room, actor, offer_id, now).language
    _require_open(room)
    _require_space(room)
    if language:
        require_space(room, language)
    if not 0 < member < 2**32 or any(seat.member == member for seat in room.stage.values()):
        raise ValueError("a member number must be free and fit 32 bits")
    del room.offers[actor.user_id]
    hand = room.hands.get(actor.user_id)
    speaks = (hand.language if hand else "") or speaks or room.language
    seat = StageSeat(user_id=actor.user_id, role=Role.SPEAKER, member=member, epoch=epoch, since=now, speaks=speaks)
    if language:
        seat = replace(seat, role=Role.INTERPRETER, booth=language, booth_since=now, speaks=language)
    room.put_on_stage(seat)
    room.re_epoch(actor.user_id, epoch, now)
    room.tell(StageJoined, now, seat=seat)
    settle(room, language, now, BoothCause.SEATED, actor.user_id)
    drop_hand(room, actor.user_id, HandCause.ON_STAGE, now)


def decline_offer(room: Room, actor: Actor, offer_id: str, now: datetime) -> None:
    """Says no to an offer. Raises NotAllowed, NotInRoom, OfferGone."""
    _require_inside(room, actor)
    room.require(actor, Action.DECLINE_OFFER)
    _open_offer(room, actor, offer_id, now)
    close_offer(room, actor.user_id, OfferCause.DECLINED, now)
    # Who does not want to speak now is not asked again by their own hand.
    drop_hand(room, actor.user_id, HandCause.DECLINED, now)


def leave_stage(room: Room, actor: Actor, *, epoch: int, now: datetime) -> None:
    """Takes the caller back to the audience. Raises NotAllowed, LastModerator."""
    room.require(actor, Action.LEAVE_STAGE)
    if is_last_moderator(room, actor.user_id):
        raise LastModerator
    back_to_audience(room, actor.user_id, epoch=epoch, cause=StageCause.BACK_TO_AUDIENCE, by_user_id="", now=now)


def move_to_audience(room: Room, actor: Actor, user_id: str, *, epoch: int, now: datetime) -> None:
    """Sends a speaker back to the audience; somebody already there stays. Raises NotAllowed, NotOnStage."""
    room.require_upon(actor, Action.MOVE_TO_AUDIENCE, user_id)
    if user_id in room.stage:
        back_to_audience(room, user_id, epoch=epoch, cause=StageCause.MOVED, by_user_id=actor.user_id, now=now)


def set_own_mute(room: Room, actor: Actor, muted: bool, now: datetime) -> None:
    """Switches the caller's own microphone. Raises NotAllowed, and StageClosed for switching on."""
    room.require(actor, Action.SET_OWN_MUTE)
    if not muted:
        _require_open(room)
    _mute(room, room.stage_seat_of(actor.user_id), muted, by_moderator=False, by_user_id=actor.user_id, now=now)


def mute_speaker(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Switches somebody's microphone off; they may switch it on again. Raises NotAllowed, NotOnStage."""
    room.require_upon(actor, Action.MUTE_SPEAKER, user_id)
    by_moderator = user_id != actor.user_id
    seat = room.stage_seat_of(user_id)
    _mute(room, seat, True, by_moderator=by_moderator, by_user_id=actor.user_id, now=now)


def make_moderator(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Lets a speaker lead too. Raises NotAllowed, NotOnStage."""
    room.require_upon(actor, Action.MAKE_MODERATOR, user_id)
    seat = room.stage_seat_of(user_id)
    if seat.role is not Role.MODERATOR:
        change_seat(room, replace(seat, role=Role.MODERATOR, successor=False), actor.user_id, now)


def name_successor(room: Room, actor: Actor, user_id: str, named: bool, now: datetime) -> None:
    """Marks a speaker to lead if all moderators are lost, or clears the mark. Raises NotAllowed, NotOnStage."""
    room.require_upon(actor, Action.NAME_SUCCESSOR, user_id)
    seat = room.stage_seat_of(user_id)
    if seat.successor is not named:
        change_seat(room, replace(seat, successor=named), actor.user_id, now)


def set_spoken_language(room: Room, actor: Actor, user_id: str, language: str, now: datetime) -> None:
    """Says in which language somebody on stage speaks; moderators may for others.

    Raises NotAllowed, NotOnStage, LanguageInvalid, ScopeMissing.
    """
    if actor.user_id == user_id:
        actor.require_speech()
        room.require_live()
    else:
        actor.require_leading()
        room.require_upon(actor, Action.SET_SPOKEN_LANGUAGE, user_id)
    seat = room.stage_seat_of(user_id)
    if seat.role is Role.INTERPRETER:
        raise NotAllowed("an interpreter speaks the language of their booth")
    check_language(language)
    if seat.speaks != language:
        change_seat(room, replace(seat, speaks=language), actor.user_id, now)


def is_last_moderator(room: Room, user_id: str) -> bool:
    """Whether nobody else who leads the room is connected."""
    others = [seat for seat in room.moderators() if seat.user_id != user_id and seat.connected]
    return room.is_moderator(user_id) and not others


def change_seat(room: Room, seat: StageSeat, by_user_id: str, now: datetime) -> None:
    """Keeps a changed stage seat and says so."""
    before = room.stage[seat.user_id]
    room.put_on_stage(seat)
    room.tell(StageSeatChanged, now, seat=seat, by_user_id=by_user_id)
    for language in dict.fromkeys((before.booth, seat.booth)):
        settle(room, language, now, why_changed(before, seat, language), seat.user_id)


def back_to_audience(
    room: Room, user_id: str, *, epoch: int, cause: StageCause, by_user_id: str, now: datetime
) -> None:
    """Takes a stage seat away; the person stays in the audience if they hold a seat in the room."""
    booth = room.stage.pop(user_id).booth
    room.raise_floor(user_id, epoch)
    room.re_epoch(user_id, epoch, now)
    room.tell(StageLeft, now, user_id=user_id, cause=cause, by_user_id=by_user_id)
    settle(room, booth, now, BoothCause.LEFT, user_id)


def drop_from_stage(room: Room, user_id: str, *, epoch: int, cause: StageCause, by_user_id: str, now: datetime) -> None:
    """Takes a stage seat away for good, sessions included; does nothing for somebody not on stage."""
    seat = room.stage.pop(user_id, None)
    if seat is not None:
        room.raise_floor(user_id, epoch)
        room.tell(StageLeft, now, user_id=user_id, cause=cause, by_user_id=by_user_id)
        settle(room, seat.booth, now, BoothCause.LEFT, user_id)


def close_offer(room: Room, user_id: str, cause: OfferCause, now: datetime) -> None:
    """Ends an offer and says why; does nothing when there is none."""
    offer = room.offers.pop(user_id, None)
    if offer is not None:
        room.tell(OfferClosed, now, offer=offer, cause=cause)


def expire_offers(room: Room, now: datetime) -> None:
    """Ends the offers whose time is over."""
    for offer in [offer for offer in room.offers.values() if offer.expires_at <= now]:
        close_offer(room, offer.user_id, OfferCause.EXPIRED, now)


def _mute(room: Room, seat: StageSeat, muted: bool, *, by_moderator: bool, by_user_id: str, now: datetime) -> None:
    changed = replace(seat, muted=muted, muted_by_moderator=muted and (by_moderator or seat.muted_by_moderator))
    if changed == seat:
        return
    if changed.muted is not seat.muted:
        room.order(seat.user_id, seat.epoch, SeatAction.MUTE if muted else SeatAction.UNMUTE)
    change_seat(room, changed, by_user_id, now)


def _open_offer(room: Room, actor: Actor, offer_id: str, now: datetime) -> Offer:
    offer = room.offers.get(actor.user_id)
    if offer is None or offer.offer_id != offer_id or offer.expires_at <= now:
        raise OfferGone
    return offer


def _require_inside(room: Room, actor: Actor) -> None:
    room.require_live()
    if room.role_of(actor.user_id) is Role.OUTSIDE:
        raise NotInRoom


def _require_open(room: Room) -> None:
    if room.stage_closed():
        raise StageClosed


def _require_space(room: Room) -> None:
    if len(room.stage) >= room.rules.stage_limit:
        raise StageFull(metadata={"limit": str(room.rules.stage_limit)})
