"""One sign-in on one device, and the refresh tokens that keep it alive."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

REFRESH_PREFIX = "mjr_"

_REFRESH = re.compile(r"mjr_[A-Za-z0-9_-]{43}\Z")


@dataclass(slots=True, kw_only=True)
class SignIn:
    """A person on a device. It ends by sign-out, by reuse of a spent refresh token, or unrefreshed."""

    sign_in_id: str
    user_id: str
    device: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it can be refreshed."""
        return self.ended_at is None and now < self.expires_at


@dataclass(slots=True, kw_only=True)
class RefreshToken:
    """What is kept of one refresh token."""

    token_hash: str
    sign_in_id: str
    issued_at: datetime
    spent_at: datetime | None = None


class RefreshOutcome(StrEnum):
    """What presenting a refresh token leads to."""

    ROTATE = "rotate"
    """Good: spend it, its successor takes over."""
    REPEAT = "repeat"
    """Spent, successor unused: the answer was lost, or two tabs asked at once. The same successor is given again."""
    REUSE = "reuse"
    """Spent, and its successor was used: somebody has a copy, so the whole sign-in ends."""
    ENDED = "ended"
    """The sign-in has ended anyway."""


def judge_refresh(
    sign_in: SignIn, presented: RefreshToken, successor: RefreshToken | None, now: datetime
) -> RefreshOutcome:
    """What to do with a refresh token that was found; `successor`: what it was traded for.

    A replay is a token that comes again after its successor was used (RFC 9700 §4.14.2). Before that, however long it
    takes, an answer may have been lost on the way: giving the same successor again gives nobody a second chain.
    """
    if not sign_in.is_live(now):
        return RefreshOutcome.ENDED
    if presented.spent_at is None:
        return RefreshOutcome.ROTATE
    if successor is not None and successor.spent_at is None:
        return RefreshOutcome.REPEAT
    return RefreshOutcome.REUSE


def refresh_token(random_bytes: bytes) -> str:
    """The text of a refresh token from 32 random bytes."""
    return REFRESH_PREFIX + _text(random_bytes)


def successor_of(token: str, key: bytes) -> str:
    """The token that follows. It is derived, so that a repeated trade gives the very same one.

    Nobody without the key can compute it, not even from the token before.
    """
    return REFRESH_PREFIX + _text(hmac.digest(key, f"refresh/{token}".encode(), hashlib.sha256))


def looks_like_refresh_token(text: str) -> bool:
    """Whether a look-up is worth it."""
    return _REFRESH.match(text) is not None


def token_hash(token: str) -> str:
    """What is kept of a token of 256 random bits; it needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def device_name(user_agent: str) -> str:
    """A short name of browser and system from a User-Agent header: names only, so that it needs no translation."""
    program = next((name for mark, name in _PROGRAMS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return " · ".join(part for part in (program, system) if part)


_PROGRAMS = (
    ("majlis", "majlis"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("grpc-", "gRPC"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
