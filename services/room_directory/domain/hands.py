"""Hands: raised by listeners, kept in order, falling by themselves after a time that runs while a moderator looks."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.room_directory.domain.errors import HandsOff, TooManyHands
from services.room_directory.domain.events import HandLowered, HandRaised, HandsAttended
from services.room_directory.domain.languages import check_language
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Hand, HandCause, HandMode
from services.room_directory.domain.texts import clean_question


def raise_hand(room: Room, actor: Actor, question: str, now: datetime, *, language: str = "") -> None:
    """Puts the caller's hand up; raising again keeps the place and renews the time.

    `language` is the tag of the one the caller would speak, or empty.

    Raises NotAllowed, HandsOff, TooManyHands, LanguageInvalid.
    """
    room.require(actor, Action.RAISE_HAND)
    if language:
        check_language(language)
    if room.hand_mode is HandMode.OFF:
        raise HandsOff
    expires_at = now + room.rules.hand_life()
    hand = room.hands.get(actor.user_id)
    if hand is None:
        if len(room.hands) >= room.rules.hand_limit:
            raise TooManyHands(metadata={"limit": str(room.rules.hand_limit)})
        hand = Hand(user_id=actor.user_id, question="", raised_at=now, expires_at=expires_at)
    question = clean_question(question)
    room.hands[actor.user_id] = replace(hand, question=question, language=language, expires_at=expires_at)
    tell_raised(room, actor.user_id, now)


def lower_hand(room: Room, actor: Actor, now: datetime) -> None:
    """Takes the caller's hand down, if it is up. Raises NotInRoom."""
    if room.role_of(actor.user_id) is Role.OUTSIDE:
        room.seat_of(actor.user_id)
    room.require(actor, Action.LOWER_HAND)
    drop_hand(room, actor.user_id, HandCause.LOWERED, now)


def dismiss_hand(room: Room, actor: Actor, user_id: str, now: datetime) -> None:
    """Takes somebody's hand down, if it is up. Raises NotAllowed."""
    room.require_upon(actor, Action.DISMISS_HAND, user_id)
    drop_hand(room, user_id, HandCause.DISMISSED, now)


def require_queue(room: Room, actor: Actor) -> None:
    """Raises NotAllowed unless the caller may see the queue."""
    room.require(actor, Action.LIST_HANDS)


def tell_raised(room: Room, user_id: str, now: datetime) -> None:
    """Says how a hand that is up stands now."""
    hand = room.hands[user_id]
    room.tell_queue(
        HandRaised,
        now,
        hand=hand,
        position=room.hand_position(user_id),
        hand_count=len(room.hands),
        time_left=None if room.attended else time_left(room, hand),
    )


def drop_hand(room: Room, user_id: str, cause: HandCause, now: datetime) -> None:
    """Takes a hand down and says why; does nothing when it is not up."""
    if room.hands.pop(user_id, None) is not None:
        room.tell_queue(HandLowered, now, user_id=user_id, hand_count=len(room.hands), cause=cause)


def drop_all_hands(room: Room, now: datetime) -> None:
    """Takes every hand down at once, because hands are switched off."""
    if room.hands:
        room.hands.clear()
        room.tell_queue(HandLowered, now, user_id="", hand_count=0, cause=HandCause.HANDS_OFF)


def attend(room: Room, actor: Actor, now: datetime) -> None:
    """Notes that a moderator has the queue before them; what passed since the last one looked is given to each hand.

    Raises NotAllowed.
    """
    room.require(actor, Action.LIST_HANDS)
    first = room.attended_until is None
    unattended = room.attended_until is None or room.attended_until <= now
    if unattended:
        expire_hands(room, now)
        for hand in list(room.hands.values()):
            room.hands[hand.user_id] = replace(hand, expires_at=now + time_left(room, hand))
    if unattended or not room.attended:
        room.attended = True
        _tell_attended(room, now, since=now)
    if first:
        # Who follows may know from the process before this one that their time ran, and not that it stopped.
        for user_id in room.hands:
            tell_raised(room, user_id, now)
    room.attended_until = now + timedelta(seconds=room.rules.attention_seconds)


def time_left(room: Room, hand: Hand) -> timedelta:
    """How long a hand stays up from when its time ran last: what it had when the last moderator looked away."""
    begun = hand.expires_at - room.rules.hand_life()
    return hand.expires_at - max(begun, room.attended_until or begun)


def hands_due(room: Room, now: datetime) -> bool:
    """Whether a hand falls now, or the last moderator has looked away."""
    if room.attended_until is None:
        return False
    ran_until = min(now, room.attended_until)
    return (room.attended and room.attended_until <= now) or any(
        hand.expires_at <= ran_until for hand in room.hands.values()
    )


def expire_hands(room: Room, now: datetime) -> None:
    """Takes down the hands whose time is over, and says so when it stops to run."""
    if room.attended_until is None:
        return
    ran_until = min(now, room.attended_until)
    for hand in [hand for hand in room.hands.values() if hand.expires_at <= ran_until]:
        drop_hand(room, hand.user_id, HandCause.EXPIRED, now)
    if room.attended and room.attended_until <= now:
        room.attended = False
        _tell_attended(room, now, since=room.attended_until)


def _tell_attended(room: Room, now: datetime, *, since: datetime) -> None:
    if room.hands:
        room.tell_queue(HandsAttended, now, attended=room.attended, since=since)
