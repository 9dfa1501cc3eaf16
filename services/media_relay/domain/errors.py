"""Why the relay refuses, one class for each reason of its contract."""

from services.common.errors import DomainError


class PermitInvalid(DomainError):
    """The permit does not verify, has expired, or is not the session's."""

    kind = "permission_denied"
    reason = "PERMIT_INVALID"


class PermitSpent(DomainError):
    """The permit has opened a session already."""

    kind = "failed_precondition"
    reason = "PERMIT_SPENT"


class WrongRelay(DomainError):
    """The permit names another relay, or another start of this one."""

    kind = "failed_precondition"
    reason = "WRONG_RELAY"


class SeatStale(DomainError):
    """The seat has changed since the permit was signed."""

    kind = "failed_precondition"
    reason = "SEAT_STALE"


class ChannelUnknown(DomainError):
    """The room has no such channel, or no such booth."""

    kind = "failed_precondition"
    reason = "CHANNEL_UNKNOWN"


class OfferInvalid(DomainError):
    """The offer cannot be answered; the message says why."""

    kind = "invalid_argument"
    reason = "OFFER_INVALID"


class RelayFull(DomainError):
    """The relay has no packets left to give."""

    kind = "resource_exhausted"
    reason = "RELAY_FULL"


class RelayBusy(DomainError):
    """As many sessions connect as may at once."""

    kind = "resource_exhausted"
    reason = "RELAY_BUSY"


class RelayDraining(DomainError):
    """The relay is being emptied."""

    kind = "unavailable"
    reason = "RELAY_DRAINING"


class SessionNotFound(DomainError):
    """No such session."""

    kind = "not_found"
    reason = "SESSION_NOT_FOUND"


class EtagMismatch(DomainError):
    """The If-Match tag is not the current one."""

    kind = "failed_precondition"
    reason = "ETAG_MISMATCH"


class FragmentInvalid(DomainError):
    """The fragment is not a trickle-ice-sdpfrag."""

    kind = "invalid_argument"
    reason = "FRAGMENT_INVALID"
