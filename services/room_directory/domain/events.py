"""What happened in a room, and what relays are to do about a seat."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.room_directory.domain.seats import (
    Booth,
    Captioner,
    Hand,
    HandCause,
    HandMode,
    LineOrder,
    Offer,
    RoomState,
    StageSeat,
    Visibility,
)


class OfferCause(Enum):
    """Why an offer is gone."""

    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    LEFT = "left"


class StageCause(Enum):
    """Why somebody is no longer on stage."""

    LEFT = "left"
    BACK_TO_AUDIENCE = "back_to_audience"
    MOVED = "moved"
    REMOVED = "removed"
    CONNECTION_LOST = "connection_lost"


class BoothCause(Enum):
    """Why a booth changed."""

    OPENED = "opened"
    SEATED = "seated"
    LEFT = "left"
    LOST = "lost"
    BACK = "back"
    TAKEN_OVER = "taken_over"
    MUTED = "muted"
    SET = "set"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCard:
    """A room as the hallway shows it, without its key."""

    room_id: str
    creator_id: str
    title: str
    description: str
    language: str
    visibility: Visibility
    hand_mode: HandMode
    line_order: LineOrder = LineOrder.ARRIVAL
    state: RoomState
    started_at: datetime
    ended_at: datetime | None
    listener_count: int
    listener_limit: int
    people_count: int
    faces: tuple[StageSeat, ...]
    revision: int
    languages: tuple[str, ...] = ()
    """Of its booths, in the order of their opening."""
    rehearsal: bool = False
    """Whether its audience hears nothing yet."""
    open_to_web: bool = False
    web_listener_limit: int = 0
    web_listener_count: int = 0
    """Listeners from the web without a seat when they were last counted; nothing in facts, which do not count them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened; `revision` is the room's after it."""

    room_id: str
    revision: int
    at: datetime
    term: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCreated(Fact):
    """A room went live."""

    card: RoomCard


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomUpdated(Fact):
    """Title, description, hand mode, visibility or state changed."""

    card: RoomCard


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEnded(Fact):
    """A room is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFact(Fact):
    """Something that happened to the hands alone; the room's revision stays."""

    queue_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRaised(QueueFact):
    """Somebody's hand went up, or its question or time is new."""

    hand: Hand
    position: int
    hand_count: int
    time_left: timedelta | None
    """None while its time runs, because a moderator looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsAttended(QueueFact):
    """A moderator looks at the queue again, or none does any more."""

    attended: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandLowered(QueueFact):
    """Somebody's hand went down; an empty user_id means all hands."""

    user_id: str
    hand_count: int
    cause: HandCause


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOffered(Fact):
    """A listener was offered the stage."""

    offer: Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferClosed(Fact):
    """An offer was declined, withdrawn or has expired, or its person left."""

    offer: Offer
    cause: OfferCause


@dataclass(frozen=True, slots=True, kw_only=True)
class StageJoined(Fact):
    """Somebody came on stage."""

    seat: StageSeat


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeatChanged(Fact):
    """A seat on stage changed: role, mute, connection, successor, or the person's name."""

    seat: StageSeat
    by_user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLeft(Fact):
    user_id: str
    cause: StageCause
    by_user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRemoved(Fact):
    """Somebody was removed and cannot return."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTakenOver(Fact):
    """A seat was taken over on another device."""

    user_id: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaMoved(Fact):
    """Sound must be fetched anew; an empty relay_id means by all."""

    relay_id: str
    spread_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoothChanged(Fact):
    """A booth was opened, or its people, who of them is heard, or what it carries changed."""

    booth: Booth
    seats: tuple[StageSeat, ...]
    """Who sits there, first seated first."""
    cause: BoothCause | None = None
    """None where it says nothing of the booth itself, as a new name of somebody in it."""
    by_user_id: str = ""
    """Who did it, or whom it happened to; empty for the system."""
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoothClosed(Fact):
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionersChanged(Fact):
    """Somebody may write captions, may not any more, or was muted or let write again."""

    captioners: tuple[Captioner, ...]


class SeatAction(Enum):
    """What a relay does to a seat's sessions."""

    END = "end"
    REPLACE = "replace"
    MUTE = "mute"
    UNMUTE = "unmute"
    STREAM_GONE = "stream_gone"
    STREAM_BACK = "stream_back"
    END_SIGN_IN = "end_sign_in"


@dataclass(frozen=True, slots=True)
class SeatOrder:
    """One change of one seat that relays must put in force; it needs no revision, for the public never sees it."""

    room_id: str
    user_id: str
    epoch: int
    action: SeatAction
    sign_in_id: str = ""
    """The one that ended, for `END_SIGN_IN`."""
    term: int = 1
