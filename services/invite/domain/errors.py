"""Why invite refuses: one class for each reason of its contract."""

from services.common.errors import DomainError


class InvitationInvalid(DomainError):
    """The code is unknown, spent, expired or taken back: all look the same."""

    kind = "not_found"
    reason = "INVITATION_INVALID"

    def __init__(self) -> None:
        super().__init__("this invitation does not work (any more)")


class InvitationClaimed(DomainError):
    """Somebody is redeeming it just now."""

    kind = "failed_precondition"
    reason = "INVITATION_CLAIMED"


class NoInvitationsLeft(DomainError):
    """The quota is used up."""

    kind = "resource_exhausted"
    reason = "NO_INVITATIONS_LEFT"


class InvitationNotFound(DomainError):
    """No such invitation of the caller's."""

    kind = "not_found"
    reason = "INVITATION_NOT_FOUND"


class InvitationSpent(DomainError):
    """It has been redeemed already."""

    kind = "failed_precondition"
    reason = "INVITATION_SPENT"


class RateLimited(DomainError):
    """Too many tries; retry_after_seconds says how long to wait."""

    kind = "resource_exhausted"
    reason = "RATE_LIMITED"


class PersonNotFound(DomainError):
    """No such person."""

    kind = "not_found"
    reason = "PERSON_NOT_FOUND"


def too_often(seconds: float) -> RateLimited:
    """The refusal of who tried too much and is to wait so long."""
    return RateLimited("too many tries; wait a little", retry_after_seconds=seconds)


class DoorsPaced(DomainError):
    """Newcomers come in at a pace: the code is unspent and has a place in the line; metadata says which."""

    kind = "resource_exhausted"
    reason = "DOORS_PACED"


class DoorsPaused(DomainError):
    """No newcomer comes in just now: the code is unspent and has a place in the line; metadata says which."""

    kind = "resource_exhausted"
    reason = "DOORS_PAUSED"


class LineFull(DomainError):
    """As many wait before the doors as may; the code is unspent, and has no place."""

    kind = "resource_exhausted"
    reason = "LINE_FULL"


class LettersUnavailable(DomainError):
    """This server sends no letters to who waits before the doors."""

    kind = "failed_precondition"
    reason = "LETTERS_UNAVAILABLE"


class LettersSpent(DomainError):
    """As many letters as a code may send are sent."""

    kind = "failed_precondition"
    reason = "LETTERS_SPENT"


class PlaceElsewhere(DomainError):
    """Another redemption, as on another device, waits in the code's place now."""

    kind = "failed_precondition"
    reason = "PLACE_ELSEWHERE"


class NotInLine(DomainError):
    """The code has no place in the line before the doors."""

    kind = "failed_precondition"
    reason = "NOT_IN_LINE"
