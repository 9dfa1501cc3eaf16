"""The gateway's own refusals."""

from services.common.errors import DomainError


class OriginRefused(DomainError):
    """A request with cookies came from another origin."""

    kind = "permission_denied"
    reason = "ORIGIN_REFUSED"


class TooManyStreams(DomainError):
    """As many event streams are open as may."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_STREAMS"


class FellBehind(DomainError):
    """The reader was too slow: open the stream again after its last revision."""

    kind = "resource_exhausted"
    reason = "FELL_BEHIND"


class SeatEnded(DomainError):
    """The seat was given up, removed or taken over."""

    kind = "failed_precondition"
    reason = "SEAT_ENDED"


class SignedOut(DomainError):
    """The sign-in has ended."""

    kind = "unauthenticated"
    reason = "SIGNED_OUT"


class RateLimited(DomainError):
    """Too many requests from one network."""

    kind = "resource_exhausted"
    reason = "RATE_LIMITED"


class TooLarge(DomainError):
    """The request is larger than allowed."""

    kind = "resource_exhausted"
    reason = "TOO_LARGE"


class BodyTooSlow(DomainError):
    """The request's body did not arrive in time."""

    kind = "deadline_exceeded"
    reason = "TOO_SLOW"


class SoundRefused(DomainError):
    """What was sent is no sound that can be spoken here."""

    kind = "invalid_argument"
    reason = "SOUND_INVALID"


class PieceMissing(DomainError):
    """A piece of sound before this one did not come."""

    kind = "failed_precondition"
    reason = "PIECE_MISSING"


class BodyInvalid(DomainError):
    """The request's body cannot be read as the message it should be."""

    kind = "invalid_argument"
    reason = "FIELD_INVALID"


class WebClosed(DomainError):
    """The room is not open to the web, or not any more."""

    kind = "permission_denied"
    reason = "WEB_CLOSED"


class WebFull(DomainError):
    """As many hear the room over the web without signing in as may."""

    kind = "resource_exhausted"
    reason = "WEB_FULL"
