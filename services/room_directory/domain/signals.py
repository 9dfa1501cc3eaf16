"""Signs that people in booths give: what they say, to whom, and with which words."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.room_directory.domain.booths import own_booth_seat
from services.room_directory.domain.errors import AloneInBooth, LineInvalid
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.texts import clean_line


class SignalKind(Enum):
    """What a sign says."""

    FIVE_MINUTES = "five_minutes"
    TWO_MINUTES = "two_minutes"
    TAKE_OVER_PLEASE = "take_over_please"
    CHAT = "chat"
    SLOWER = "slower"
    LOUDER = "louder"
    REPEAT = "repeat"
    TECHNICIAN = "technician"
    SOFTER = "softer"
    MICROPHONE = "microphone"


_WITH_WORDS = {SignalKind.CHAT, SignalKind.TECHNICIAN}
_TO_PARTNERS = {SignalKind.FIVE_MINUTES, SignalKind.TWO_MINUTES, SignalKind.TAKE_OVER_PLEASE, SignalKind.CHAT}


@dataclass(frozen=True, slots=True)
class Signal:
    """A sign from a booth, which nobody keeps; `revision` is the room's, which it does not change."""

    room_id: str
    revision: int
    at: datetime
    language: str
    kind: SignalKind
    text: str
    by_user_id: str
    term: int


def signal_from(room: Room, actor: Actor, kind: SignalKind, text: str, now: datetime) -> Signal:
    """The sign that the caller gives from their booth. Raises RoomEnded, NotInBooth, LineInvalid, AloneInBooth."""
    seat, words = own_booth_seat(room, actor), clean_line(text)
    if words and kind not in _WITH_WORDS:
        raise LineInvalid("this sign says all by itself")
    if not words and kind is SignalKind.CHAT:
        raise LineInvalid("a line needs at least one visible character")
    if kind in _TO_PARTNERS and len(room.in_booth(seat.booth)) == 1:
        # Whoever asks to be relieved must not believe that somebody heard it.
        raise AloneInBooth
    return Signal(room.room_id, room.revision, now, seat.booth, kind, words, actor.user_id, room.term)
