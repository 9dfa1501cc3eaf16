"""The one shape of a refusal: an exception that says its kind and its reason."""

from collections.abc import Mapping
from typing import ClassVar, Literal

Kind = Literal[
    "invalid_argument",
    "not_found",
    "already_exists",
    "failed_precondition",
    "permission_denied",
    "unauthenticated",
    "resource_exhausted",
    "aborted",
    "unavailable",
    "deadline_exceeded",
    "internal",
]


class DomainError(Exception):
    """A refusal told to the caller.

    Subclasses set `kind` (how a client should react, a gRPC code in snake case) and `reason` (a value of the
    service's documented error enum, without the enum's prefix). `retry_after_seconds` says when trying again may
    help; `metadata` carries values a client needs to explain the refusal, never secrets.
    """

    kind: ClassVar[Kind] = "internal"
    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str = "",
        *,
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self._what_it_is())
        self.message = message or self._what_it_is()
        self.retry_after_seconds = retry_after_seconds
        self.metadata: dict[str, str] = dict(metadata or {})

    @classmethod
    def _what_it_is(cls) -> str:
        """The first line of the class's own docstring: a refusal without words of its own says at least that."""
        words = (cls.__dict__.get("__doc__") or "").strip().splitlines()
        return words[0].rstrip(".") if words else cls.reason


class Conflict(DomainError):
    """Another change came between load and save; trying again is the answer."""

    kind = "aborted"
    reason = "CONFLICT"


class NotSignedIn(DomainError):
    """No token, or one that does not verify."""

    kind = "unauthenticated"
    reason = "NOT_SIGNED_IN"


class TokenExpired(DomainError):
    """The token was good once; a refresh helps."""

    kind = "unauthenticated"
    reason = "TOKEN_EXPIRED"


class CallerNotAllowed(DomainError):
    """The caller is known but may not call this."""

    kind = "permission_denied"
    reason = "CALLER_NOT_ALLOWED"


class ScopeMissing(DomainError):
    """The token's scopes do not cover this call."""

    kind = "permission_denied"
    reason = "SCOPE_MISSING"


class FieldInvalid(DomainError):
    """A field breaks a rule of the contract; `fields` pairs each field path with what is wrong."""

    kind = "invalid_argument"
    reason = "FIELD_INVALID"

    def __init__(self, message: str = "", *, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message or "; ".join(f"{path}: {problem}" for path, problem in fields))
        self.fields = fields


class TooSlow(DomainError):
    """The deadline passed before the answer was there."""

    kind = "deadline_exceeded"
    reason = "TOO_SLOW"


class PartUnavailable(DomainError):
    """Another part of the deployment cannot be reached now."""

    kind = "unavailable"
    reason = "PART_UNAVAILABLE"


class Crowded(DomainError):
    """So many come at once that this call was not begun: who tries again when told is among those who are answered."""

    kind = "unavailable"
    reason = "CROWDED"


class StorageUnavailable(DomainError):
    """What a service keeps cannot be written or read now: its disk is full or read-only, its database is away."""

    kind = "unavailable"
    reason = "STORAGE_UNAVAILABLE"


class Draining(DomainError):
    """This process is stopping; another copy, or this one a moment later, will answer."""

    kind = "unavailable"
    reason = "DRAINING"
