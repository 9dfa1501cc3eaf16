"""Refusals of the small server that tests of clients talk to."""

from services.common.errors import DomainError


class OfferGone(DomainError):
    """The offer is no more."""

    kind = "failed_precondition"
    reason = "OFFER_GONE"


class RoomFull(DomainError):
    """Every seat is taken."""

    kind = "resource_exhausted"
    reason = "ROOM_FULL"


class NotInRoom(DomainError):
    """The caller holds no seat."""

    kind = "failed_precondition"
    reason = "NOT_IN_ROOM"


class NotAllowed(DomainError):
    """The caller's role does not allow it."""

    kind = "permission_denied"
    reason = "NOT_ALLOWED"


class SeatEnded(DomainError):
    """Another device has the seat."""

    kind = "failed_precondition"
    reason = "SEAT_ENDED"


class SessionEnded(DomainError):
    """The sign-in is over."""

    kind = "unauthenticated"
    reason = "SESSION_ENDED"


class AccountNotFound(DomainError):
    """Nobody has this handle."""

    kind = "not_found"
    reason = "ACCOUNT_NOT_FOUND"
