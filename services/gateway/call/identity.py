"""Turns what a client shows into a verified access token; personal tokens are traded for one."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from services.common.clock import Clock
from services.common.errors import NotSignedIn, ScopeMissing
from services.common.trust.tokens import AccessToken, TokenVerifier

PERSONAL_PREFIX = "mjp_"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,8192}\Z")
_PERSONAL_KEPT_SECONDS = 60.0
_VERDICT_KEPT_SECONDS = 60.0
_SPARE_LIFE_SECONDS = 30.0
_MOST_KEPT = 20_000

V = TypeVar("V")
Exchange = Callable[[str, str], Awaitable[tuple[str, float]]]


class _Kept(Generic[V]):
    """Values kept for a time, the least recently used leaving first; keys are hashed, so that no token stays here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def get(self, token: str) -> V | None:
        key = _key(token)
        entry = self._values.get(key)
        if entry is None or entry[0] <= self._clock.monotonic():
            return None
        self._values.move_to_end(key)
        return entry[1]

    def put(self, token: str, value: V, seconds: float) -> None:
        now = self._clock.monotonic()
        key = _key(token)
        self._values[key] = (now + seconds, value)
        self._values.move_to_end(key)
        # Who was not seen again leaves with the next who comes.
        while self._values and (len(self._values) > _MOST_KEPT or next(iter(self._values.values()))[0] <= now):
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)


class Identities:
    """Who the bearer of a token is.

    `exchange(personal_token, network)` returns an access token and the epoch second it expires at.
    """

    def __init__(self, verifier: TokenVerifier, exchange: Exchange, clock: Clock) -> None:
        self._verifier = verifier
        self._exchange = exchange
        self._clock = clock
        self._personal: _Kept[str] = _Kept(clock)
        self._verdicts: _Kept[AccessToken] = _Kept(clock)

    @property
    def remembered(self) -> int:
        """How many tokens something is kept of."""
        return len(self._personal) + len(self._verdicts)

    async def access_token(self, shown: str, network: str) -> str:
        """The access token behind what a client shows, unverified. Raises NotSignedIn, or what `exchange` raises."""
        if not _TOKEN.match(shown):
            raise NotSignedIn("the token is not one of ours")
        if not shown.startswith(PERSONAL_PREFIX):
            return shown
        kept = self._personal.get(shown)
        if kept is not None:
            return kept
        token, expires_at = await self._exchange(shown, network)
        left = expires_at - self._clock.now().timestamp() - _SPARE_LIFE_SECONDS
        if left > 0:
            self._personal.put(shown, token, min(_PERSONAL_KEPT_SECONDS, left))
        return token

    async def bearer(self, shown: str, network: str, scope: str = "") -> AccessToken:
        """Who shows a token, access or personal. Raises as `access_token` and `verify` do."""
        return await self.verify(await self.access_token(shown, network), scope)

    async def verify(self, token: str, scope: str = "") -> AccessToken:
        """The claims of an access token that carries `scope`. Raises NotSignedIn, TokenExpired, ScopeMissing."""
        access = self._verdicts.get(token)
        if access is None or access.expires_at <= self._clock.now().timestamp():
            access = await self._verifier.verify_access(token)
            self._verdicts.put(token, access, _VERDICT_KEPT_SECONDS)
        elif self._verifier.revocations.refuses(access.user_id, access.sign_in_id, access.issued_at):
            raise NotSignedIn("the sign-in of this token has ended")
        if scope and access.scopes is not None and scope not in access.scopes:
            raise ScopeMissing(f"the token lacks the scope {scope}", metadata={"scope": scope})
        return access

    async def vouch(self, token: str) -> None:
        """As `verify`, for crowds: of those who come once nothing is kept."""
        if self._verdicts.get(token) is None:
            await self._verifier.verify_access(token)


def bearer_of(header: str | None) -> str | None:
    """The token of an Authorization header (RFC 6750 §2.1), or None."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
