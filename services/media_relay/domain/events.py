"""What the rules decided: the application carries these out and tells the directory."""

from dataclasses import dataclass
from enum import StrEnum

from services.media_relay.domain.permits import Permit
from services.media_relay.domain.sessions import MediaSession


class Cause(StrEnum):
    """Why a session ended, as the directory is told."""

    DELETED = "deleted"
    EXPIRED = "expired"
    SEAT_ENDED = "seat_ended"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Negotiated, not connected yet."""

    session: MediaSession
    first_of_room: bool = False
    """Whether nobody else had a session of its room here."""


@dataclass(frozen=True, slots=True)
class SessionConnected:
    """Keys and address are there: media flows."""

    session: MediaSession
    again: bool = False
    """Whether it was connected before, and is back from idleness."""


@dataclass(frozen=True, slots=True)
class SessionIdle:
    """No check and no authenticated packet for five seconds."""

    session: MediaSession


@dataclass(frozen=True, slots=True)
class SessionPaused:
    """Nothing more is sent to it, while its successor takes over."""

    session: MediaSession


@dataclass(frozen=True, slots=True)
class MuteChanged:
    """The microphone is let through or not."""

    session: MediaSession
    muted: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Gone: no packet in or out any more."""

    session: MediaSession
    cause: Cause


@dataclass(frozen=True, slots=True)
class PermitRefused:
    """A permit was shown and opened nothing: what was kept for it is free."""

    permit: Permit


Event = PermitRefused | SessionOpened | SessionConnected | SessionIdle | SessionPaused | MuteChanged | SessionEnded
