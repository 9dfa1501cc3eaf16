"""The values a room is made of: seats, stage seats, hands, offers, and the rules' numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.room_directory.domain.people import UNKNOWN, Proof
from services.room_directory.domain.roles import Role


class Visibility(Enum):
    """Who may enter."""

    OPEN = "open"
    CLOSED = "closed"


class HandMode(Enum):
    """Who may raise a hand."""

    OFF = "off"
    EVERYONE = "everyone"


class LineOrder(Enum):
    """In which order those who wait before a full room come in."""

    ARRIVAL = "arrival"
    LOT = "lot"
    """By lot among those who came in the same few minutes."""


class RoomState(Enum):
    """Where a room stands."""

    LIVE = "live"
    HELD = "held"
    CLOSING = "closing"
    ENDED = "ended"


class MediaKind(Enum):
    """Which kind of media session."""

    AUDIENCE = "audience"
    STAGE = "stage"


class SessionState(Enum):
    """What is known of a seat's media session."""

    PENDING = "pending"
    """None yet, or the relay that held it is gone: the person is expected to open one."""
    UP = "up"
    IDLE = "idle"
    """No connectivity check for 5 s."""
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The numbers of the rules, from the settings."""

    hand_seconds: float = 60.0
    hand_limit: int = 200
    attention_seconds: float = 15.0
    """How long a moderator who says so counts as looking at the hands."""
    offer_seconds: float = 30.0
    stage_limit: int = 50
    listener_limit: int = 5000
    web_listener_limit: int = 1000
    """How many may hear one room over the web without signing in; 0 lets no room be opened to it."""
    lost_seconds: float = 60.0
    """How long a seat outlives its connection."""
    parted_seconds: float = 5.0
    """How long a listener's seat outlives a client that ended its session and its stream: enough to open others."""
    hold_seconds: float = 60.0
    """How long a room waits for a moderator."""
    closing_seconds: float = 300.0
    """How long a room with a closed stage lasts."""
    empty_seconds: float = 300.0
    """How long a room with nobody in it lasts."""

    def hand_life(self) -> timedelta:
        """How long a hand stays up."""
        return timedelta(seconds=self.hand_seconds)

    def offer_life(self) -> timedelta:
        """How long an offer stands."""
        return timedelta(seconds=self.offer_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One person's place in a room and what is known of their connections; lives in memory only."""

    user_id: str
    epoch: int
    device_epoch: int
    """The epoch at which the present device took the seat; later epochs of that device are changes of its role."""
    joined_at: datetime
    session: SessionState = SessionState.PENDING
    session_id: str = ""
    said_goodbye: bool = False
    """True when its client ended the session that is down."""
    relay_id: str = ""
    """The relay of the session or of the last permit."""
    pending_since: datetime
    stream: bool = False
    stream_epoch: int = 0
    stream_lost: bool = False
    """True when an event stream was open and is gone."""
    listens: bool = False
    """True while sound comes over HTTPS: no relay knows of it."""
    proof: Proof = UNKNOWN
    """By which sign-in it was taken: when that ends, so does the seat."""
    absent_since: datetime | None = None
    """Since when neither session nor stream is there; None while one is."""
    unheard_since: datetime | None = None
    """Since when its person holds it and never had sound, however often they took it anew; None once they had."""

    def sounds(self) -> bool:
        """Whether its media session is connected."""
        return self.session in (SessionState.UP, SessionState.IDLE)

    def hears(self) -> bool:
        """Whether sound comes to it, by its media session or over HTTPS."""
        return self.sounds() or self.listens

    def in_use(self) -> bool:
        """Whether a device is known to hold this seat now."""
        return self.stream or self.sounds()

    def parted(self) -> bool:
        """Whether the client said goodbye to the relay and closed its event stream, as a page does that is closed.

        Its last call, LeaveRoom, may be lost: browsers do not promise to send what a page says while it goes away.
        """
        return self.session is SessionState.DOWN and self.said_goodbye and self.stream_lost and not self.stream

    def lost(self, now: datetime, patience_seconds: float) -> bool:
        """Whether the connection counts as dropped, as far as the stage is concerned."""
        match self.session:
            case SessionState.UP:
                return False
            case SessionState.DOWN:
                return True
            case SessionState.IDLE:
                return not self.stream
        waited = (now - self.pending_since).total_seconds()
        return not self.stream and (self.stream_lost or waited >= patience_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeat:
    """A person on stage, as rows keep it."""

    user_id: str
    role: Role
    member: int
    """32-bit number that stands for the person in CSRC lists (RFC 3550)."""
    epoch: int
    since: datetime
    muted: bool = False
    muted_by_moderator: bool = False
    successor: bool = False
    connected: bool = True
    lost_at: datetime | None = None
    booth: str = ""
    """The language of the booth that the person speaks in; empty on the floor."""
    booth_since: datetime | None = None
    active: bool = False
    """Whether it is this one of the booth who is heard."""
    heard_since: datetime | None = None
    """Since when they have been the one: the beginning of a turn, which ends once somebody else is heard."""
    hears: str = ""
    """The language of the booth that is heard instead of the floor."""
    speaks: str = ""
    """The language that the person speaks on the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    user_id: str
    question: str
    language: str = ""
    """BCP 47 primary tag, as the person said it; empty when they did not."""
    raised_at: datetime
    expires_at: datetime


class HandCause(Enum):
    """Why a hand went down."""

    LOWERED = "lowered"
    EXPIRED = "expired"
    DISMISSED = "dismissed"
    DECLINED = "declined"
    ON_STAGE = "on_stage"
    LEFT = "left"
    HANDS_OFF = "hands_off"


class DeedKind(Enum):
    """What a moderator can take back."""

    MUTE = "mute"
    MAKE_MODERATOR = "make_moderator"
    DISMISS_HAND = "dismiss_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What was before a moderator changed it; lives in memory only."""

    at: datetime
    was: StageSeat | Hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer to come on stage."""

    offer_id: str
    user_id: str
    by_user_id: str
    expires_at: datetime
    language: str = ""
    """Of the booth with the seat that is offered; empty for the floor."""


class BoothRule(Enum):
    """What the channel of a language carries while nobody interprets."""

    SILENCE = "silence"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booth:
    """The booth of one language, as rows keep it; who sits there stands in the seats of the stage."""

    language: str
    opened_at: datetime
    rule: BoothRule = BoothRule.SILENCE
    floor_after_seconds: int = 5
    """How long nobody interprets before the floor is heard, where the rule says so."""
    floor_level_db: int = -20
    """How loud the floor is under the interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioner:
    """Somebody who may write captions, as rows keep it."""

    user_id: str
    languages: tuple[str, ...] = ()
    """In order; `floor` stands for what is said on the floor."""
    muted: bool = False
    since: datetime
