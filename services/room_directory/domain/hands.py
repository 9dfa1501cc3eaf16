"""Hands: raised by listeners, kept in order, falling by themselves."""

from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.errors import HandsOff, TooManyHands
from services.room_directory.domain.events import HandLowered, HandRaised
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Hand, HandMode
from services.room_directory.domain.texts import clean


def raise_hand(room: Room, actor: Actor, question: str, now: datetime) -> None:
    """Puts the caller's hand up; raising again keeps the place and renews the time.

    Raises NotAllowed, HandsOff, TooManyHands.
    """
    room.require(actor, Action.RAISE_HAND)
    if room.hand_mode is HandMode.OFF:
        raise HandsOff
    expires_at = now + room.rules.hand_life()
    hand = room.hands.get(actor.user_id)
    if hand is None:
        if len(room.hands) >= room.rules.hand_limit:
            raise TooManyHands(metadata={"limit": str(room.rules.hand_limit)})
        hand = Hand(user_id=actor.user_id, question="", raised_at=now, expires_at=expires_at)
    room.hands[actor.user_id] = replace(hand, question=clean(question), expires_at=expires_at)
    room.tell(HandRaised, now, user_id=actor.user_id, hand_count=len(room.hands), expires_at=expires_at)


def lower_hand(room: Room, actor: Actor, now: datetime) -> None:
    """Takes the caller's hand down, if it is up. Raises NotInRoom."""
    if room.role_of(actor.user_id) is Role.OUTSIDE:
        room.seat_of(actor.user_id)
    room.require(actor, Action.LOWER_HAND)
    drop_hand(room, actor.user_id, "lowered", now)


def dismiss_hand(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Takes somebody's hand down, if it is up. Raises NotAllowed."""
    room.require_upon(actor, Action.DISMISS_HAND, user_id)
    drop_hand(room, user_id, "dismissed", now)


def hands_in_order(room: Room, actor: Actor) -> list[Hand]:
    """The queue, first raised first. Raises NotAllowed."""
    room.require(actor, Action.LIST_HANDS)
    return list(room.hands.values())


def drop_hand(room: Room, user_id: str, cause: str, now: datetime) -> None:
    """Takes a hand down and says why; does nothing when it is not up."""
    if room.hands.pop(user_id, None) is not None:
        room.tell(HandLowered, now, user_id=user_id, hand_count=len(room.hands), cause=cause)


def drop_all_hands(room: Room, now: datetime) -> None:
    """Takes every hand down at once, because hands are switched off."""
    if room.hands:
        room.hands.clear()
        room.tell(HandLowered, now, user_id="", hand_count=0, cause="hands_off")


def expire_hands(room: Room, now: datetime) -> None:
    """Takes down the hands whose time is over."""
    for hand in [hand for hand in room.hands.values() if hand.expires_at <= now]:
        drop_hand(room, hand.user_id, "expired", now)
