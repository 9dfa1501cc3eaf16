"""Personal access tokens: what bots and command lines sign in with."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.errors import ScopeUnknown, TooManyTokens

SCOPES = ("listen", "speak", "rooms", "invite", "profile", "captions", "fleet", "orders")
OPERATORS_SCOPES = frozenset({"fleet", "orders"})
"""Let a program of an operator look, or order ladders and doors, and nothing else; without effect in other tokens."""
MOST_TOKENS = 20
DEFAULT_DAYS = 90
LONGEST_DAYS = 365

_TOKEN = re.compile(r"mjp_[A-Za-z0-9_-]{43}\Z")


@dataclass(slots=True, kw_only=True)
class PersonalToken:
    """What is kept of one token; its text is not."""

    token_id: str
    user_id: str
    token_hash: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it can be exchanged."""
        return self.revoked_at is None and now < self.expires_at


def check_scopes(scopes: Iterable[str], *, operator: bool = False) -> tuple[str, ...]:
    """The scopes in their canonical order. Raises ScopeUnknown naming one that is not for this person."""
    asked = set(scopes)
    unknown = sorted(asked - set(SCOPES))
    if unknown:
        raise ScopeUnknown(f"{unknown[0]!r} is not a scope; the scopes are {', '.join(SCOPES)}")
    barred = sorted(asked & OPERATORS_SCOPES)
    if barred and not operator:
        raise ScopeUnknown(f"{barred[0]!r} is a scope for operators")
    return tuple(scope for scope in SCOPES if scope in asked)


def scopes_now(scopes: tuple[str, ...], *, operator: bool) -> tuple[str, ...]:
    """What a token may do by what its person is now."""
    return scopes if operator else tuple(scope for scope in scopes if scope not in OPERATORS_SCOPES)


def check_room_for_another(live_tokens: int) -> None:
    """Raises TooManyTokens when the account has as many live tokens as it may."""
    if live_tokens >= MOST_TOKENS:
        raise TooManyTokens(f"an account has at most {MOST_TOKENS} personal access tokens; revoke one first")


def expiry(now: datetime, days: int) -> datetime:
    """When a token made now expires; 0 days means the default."""
    return now + timedelta(days=min(days or DEFAULT_DAYS, LONGEST_DAYS))


def token_text(random_bytes: bytes) -> str:
    """The text of a token from 32 random bytes."""
    return "mjp_" + base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode()


def looks_like_token(text: str) -> bool:
    """Whether a look-up is worth it."""
    return _TOKEN.match(text) is not None
