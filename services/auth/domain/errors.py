"""Why auth refuses: one class for each reason of its contract."""

from services.common.errors import DomainError


class OwnerLinkInvalid(DomainError):
    """The owner link was used already or never existed."""

    kind = "not_found"
    reason = "OWNER_LINK_INVALID"


class HandleTaken(DomainError):
    """Somebody has that handle."""

    kind = "already_exists"
    reason = "HANDLE_TAKEN"


class HandleInvalid(DomainError):
    """The handle breaks the rule of handles."""

    kind = "invalid_argument"
    reason = "HANDLE_INVALID"


class DisplayNameInvalid(DomainError):
    """The display name is empty, too long, or holds what hides, turns the text around or overprints."""

    kind = "invalid_argument"
    reason = "DISPLAY_NAME_INVALID"


class DisplayNameMisleading(DomainError):
    """The display name reads like an operator's, or like a role of the deployment."""

    kind = "invalid_argument"
    reason = "DISPLAY_NAME_MISLEADING"


class HandleMisleading(DomainError):
    """The handle reads like an operator's, or like a role of the deployment."""

    kind = "invalid_argument"
    reason = "HANDLE_MISLEADING"


class BioInvalid(DomainError):
    """The bio is too long, or holds what hides, turns the text around or overprints."""

    kind = "invalid_argument"
    reason = "BIO_INVALID"


class EmailTaken(DomainError):
    """Another account signs in with that address."""

    kind = "already_exists"
    reason = "EMAIL_TAKEN"


class ChallengeInvalid(DomainError):
    """The challenge is unknown, used, too old or somebody else's."""

    kind = "failed_precondition"
    reason = "CHALLENGE_INVALID"


class PasskeyInvalid(DomainError):
    """The passkey's answer does not verify."""

    kind = "unauthenticated"
    reason = "PASSKEY_INVALID"


class PasskeyCopied(DomainError):
    """The passkey signed with a lower counter than before: there may be a copy of it."""

    kind = "unauthenticated"
    reason = "PASSKEY_COPIED"


class CodeWrong(DomainError):
    """The one-time code is wrong."""

    kind = "invalid_argument"
    reason = "CODE_WRONG"


class AccountIsSuspended(DomainError):
    """An operator suspended the account."""

    kind = "permission_denied"
    reason = "ACCOUNT_SUSPENDED"


class SessionEnded(DomainError):
    """The sign-in has ended, or the refresh token never belonged to one."""

    kind = "unauthenticated"
    reason = "SESSION_ENDED"


class TokenInvalid(DomainError):
    """The personal access token is unknown, expired or revoked."""

    kind = "unauthenticated"
    reason = "TOKEN_INVALID"


class AccountNotFound(DomainError):
    """No such account, or it was deleted."""

    kind = "not_found"
    reason = "ACCOUNT_NOT_FOUND"


class LastWayIn(DomainError):
    """Without it the person could never sign in again."""

    kind = "failed_precondition"
    reason = "LAST_WAY_IN"


class SignInNotFound(DomainError):
    """No such sign-in of the caller's."""

    kind = "not_found"
    reason = "SIGN_IN_NOT_FOUND"


class TooManyTokens(DomainError):
    """The account holds as many personal access tokens as it may."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_TOKENS"


class ScopeUnknown(DomainError):
    """No such scope."""

    kind = "invalid_argument"
    reason = "SCOPE_UNKNOWN"


class TokenNotFound(DomainError):
    """No such personal access token of the caller's."""

    kind = "not_found"
    reason = "TOKEN_NOT_FOUND"


class LastOperator(DomainError):
    """The deployment would be left without an operator who can act."""

    kind = "failed_precondition"
    reason = "LAST_OPERATOR"


class RateLimited(DomainError):
    """Too many tries; retry_after_seconds says how long to wait."""

    kind = "resource_exhausted"
    reason = "RATE_LIMITED"


class RedemptionClosed(DomainError):
    """The redemption was given up before an account came of it."""

    kind = "failed_precondition"
    reason = "REDEMPTION_CLOSED"


class MailUnavailable(DomainError):
    """This deployment sends no e-mail, so no code can reach anybody."""

    kind = "failed_precondition"
    reason = "MAIL_UNAVAILABLE"


def too_often(seconds: float) -> RateLimited:
    """The refusal of who tried too much and is to wait so long."""
    return RateLimited("too many tries; wait a little", retry_after_seconds=seconds)
