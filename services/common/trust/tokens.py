"""Verifies signed tokens against a cached key set."""

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.common.clock import Clock, SystemClock
from services.common.errors import NotSignedIn, PartUnavailable, TokenExpired
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.text.strict_json import read_json
from services.common.trust.claims import ACCESS
from services.common.trust.jws import ALGORITHM, BadToken, PublicKey, header_in, opened, read_public_jwk
from services.common.trust.revocations import RevocationList

LEEWAY_SECONDS = 30
# What lives for seconds would live three times as long with the leeway above; clocks a moment apart are forgiven.
BRIEF_LEEWAY_SECONDS = 2

# Claims that every kind of token has (RFC 7519 §4.1), and those of access tokens.
_ISS, _AUD, _SUB, _IAT, _EXP = (
    ACCESS.names[each] for each in ("issuer", "audience", "user_id", "issued_at", "expires_at")
)
_SID, _OPR, _SCP = (ACCESS.names[each] for each in ("sign_in_id", "operator", "scopes"))
_NBF = "nbf"

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_HEADER_FIELDS = {"alg", "kid", "typ"}
# A key that was just made is known at once although others were asked for in vain; a flood of inventions costs little.
_REFETCHES_AT_ONCE = 5
_REFETCHES_PER_SECOND = 1.0
_FETCH_DEADLINE_SECONDS = 5.0
_LONGEST_TOKEN = 8192
_END_OF_TIME = 253_402_300_800
# A person's calls come close together with the same token, and checking a signature is the dearest part of a call.
_REMEMBERED_TOKENS = 8192

_log = get_logger("tokens")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says of its bearer."""

    user_id: str
    sign_in_id: str
    operator: bool
    scopes: frozenset[str] | None
    """None means everything the account may do."""
    issued_at: int
    """Seconds since the epoch."""
    expires_at: int
    """Seconds since the epoch."""


class TokenRefused(NotSignedIn):
    """A token that is not accepted, with what is wrong with it as operators count it."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


def refusal_counter(metrics: Metrics) -> Callable[[str], None]:
    """Counts the tokens a service does not accept; give it to the service's verifier."""
    refusals = metrics.counter("majlis_token_refusals_total", "Tokens that were not accepted, by why.", ("why",))
    return lambda why: refusals.labels(why).inc()


class TokenVerifier:
    """Verifies EdDSA tokens of one issuer for one audience.

    `fetch_key_set` returns the issuer's JSON Web Key Set (RFC 7517) as text. It is asked at first use and when a
    token names an unknown key, five times at once and then once a second. The algorithm is never taken from the token.
    """

    def __init__(
        self,
        fetch_key_set: Callable[[], Awaitable[str]],
        issuer: str,
        audience: str,
        *,
        clock: Clock | None = None,
        revocations: RevocationList | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """`refused` is told why each token is refused that is."""
        self._fetch_key_set = fetch_key_set
        self._issuer = issuer
        self._audience = audience
        self._clock = clock or SystemClock()
        self.revocations = RevocationList(self._clock) if revocations is None else revocations
        self._refused = refused
        self._keys: dict[str, PublicKey] = {}
        self._refetches = TokenBuckets(_REFETCHES_AT_ONCE, _REFETCHES_PER_SECOND)
        self._fetching = asyncio.Lock()
        self._seen: OrderedDict[bytes, tuple[str, AccessToken]] = OrderedDict()

    @property
    def remembered(self) -> int:
        """How many tokens that verified are kept."""
        return len(self._seen)

    async def verify_access(self, token: str) -> AccessToken:
        """The claims of an access token. Raises NotSignedIn, TokenExpired, or PartUnavailable without any key set."""
        with self._counting():
            return await self._verify_access(token)

    async def _verify_access(self, token: str) -> AccessToken:
        digest = hashlib.sha256(token.encode()).digest()
        access = self._seen_before(digest)
        if access is None:
            access = await self._read_access(token)
            self._seen[digest] = (_key_id_of(token, ACCESS.type), access)
            self._forget_old()
        if self.revocations.refuses(access.user_id, access.sign_in_id, access.issued_at):
            raise TokenRefused("revoked", "the sign-in of this token has ended")
        return access

    def _seen_before(self, digest: bytes) -> AccessToken | None:
        """A token that verified lately with a key that is still one of the issuer's, and is not over."""
        found = self._seen.get(digest)
        if found is None:
            return None
        key_id, access = found
        now = self._clock.now().timestamp()
        in_time = access.issued_at <= now + LEEWAY_SECONDS and access.expires_at > now - LEEWAY_SECONDS
        if key_id not in self._keys or not in_time:
            del self._seen[digest]
            return None
        return access

    def _forget_old(self) -> None:
        """Drops tokens that are over, and the oldest beyond the bound."""
        ended = self._clock.now().timestamp() - LEEWAY_SECONDS
        while self._seen:
            _, access = self._seen[next(iter(self._seen))]
            if len(self._seen) <= _REMEMBERED_TOKENS and access.expires_at > ended:
                return
            self._seen.popitem(last=False)

    async def _read_access(self, token: str) -> AccessToken:
        claims = await self._verify(token, ACCESS.type, LEEWAY_SECONDS)
        scopes = claims.get(_SCP)
        if not isinstance(claims.get(_SID), str) or not (scopes is None or _is_texts(scopes)):
            raise TokenRefused("malformed", "the token lacks a claim of an access token")
        return AccessToken(
            user_id=claims[_SUB],
            sign_in_id=claims[_SID],
            operator=claims.get(_OPR) is True,
            scopes=None if scopes is None else frozenset(scopes),
            issued_at=int(claims[_IAT]),
            expires_at=int(claims[_EXP]),
        )

    async def verify(self, token: str, token_type: str) -> Mapping[str, Any]:
        """The claims of a token of the given `typ`: signature, issuer, audience and times hold, `sub` is a text.

        For tokens that live for seconds: they end two seconds after they say, an access token thirty.
        Raises NotSignedIn, TokenExpired, or PartUnavailable when no key set could ever be fetched.
        """
        with self._counting():
            return await self._verify(token, token_type, BRIEF_LEEWAY_SECONDS)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        try:
            yield
        except TokenRefused as error:
            self._note(error.why)
            raise
        except TokenExpired:
            self._note("expired")
            raise

    def _note(self, why: str) -> None:
        if self._refused is not None:
            self._refused(why)

    async def _verify(self, token: str, token_type: str, leeway_seconds: int) -> Mapping[str, Any]:
        key = await self._key(_key_id_of(token, token_type))
        try:
            payload = opened(token, key)
        except BadToken as error:
            raise TokenRefused("signature", f"the token does not verify: {error}") from error
        claims = _claims_in(payload)
        if claims.get(_ISS) != self._issuer or claims.get(_AUD) != self._audience:
            raise TokenRefused("signature", "the token is of another issuer, or for somebody else")
        if not isinstance(claims.get(_SUB), str) or _IAT not in claims or _EXP not in claims:
            raise TokenRefused("malformed", "the token lacks a claim that every token has")
        self._check_times(claims, leeway_seconds)
        return claims

    def _check_times(self, claims: Mapping[str, Any], leeway_seconds: int) -> None:
        if not all(_is_time(claims.get(name, 0)) for name in (_IAT, _EXP, _NBF)):
            raise TokenRefused("malformed", "a time of the token is no time")
        now = self._clock.now().timestamp()
        # A clock that lags must not refuse everybody: a beginning may be further off than an end.
        if max(claims[_IAT], claims.get(_NBF, 0)) > now + LEEWAY_SECONDS:
            raise TokenRefused("future", "the token is from the future")
        if claims[_EXP] <= now - leeway_seconds:
            raise TokenExpired("the token has expired")

    async def _key(self, key_id: str) -> PublicKey:
        is_answered = True
        if key_id not in self._keys:
            async with self._fetching:
                # Whoever waited for another's question has its answer.
                if key_id not in self._keys and self._may_refetch():
                    is_answered = await self.refetch()
        key = self._keys.get(key_id)
        if key is not None:
            return key
        if self._keys and is_answered:
            raise TokenRefused("unknown_key", "the token is signed with an unknown key")
        raise PartUnavailable("the keys of its issuer cannot be had just now", retry_after_seconds=1.0)

    def _may_refetch(self) -> bool:
        return not self._keys or not self._refetches.take("", self._clock.monotonic())

    async def refetch(self) -> bool:
        """Asks the issuer for its keys; says whether it answered, and keeps those that are known otherwise."""
        try:
            async with asyncio.timeout(_FETCH_DEADLINE_SECONDS):
                text = await self._fetch_key_set()
            self._keys = read_key_set(text)
        except Exception as error:  # noqa: BLE001 (a fetch may fail in any way)
            # Tokens of known keys go on working; the next unknown key tries again.
            _log.warning("cannot fetch the key set", issuer=self._issuer, error=str(error))
            return False
        return True


def _claims_in(payload: bytes) -> dict[str, Any]:
    try:
        claims = read_json(payload)
    except ValueError as error:
        raise TokenRefused("malformed", "the token holds no claims") from error
    if not isinstance(claims, dict):
        raise TokenRefused("malformed", "the token holds no claims")
    return claims


def read_key_set(text: str) -> dict[str, PublicKey]:
    """Public keys by their id; keys of another kind or use are left out. Raises ValueError when it is no key set."""
    keys: dict[str, PublicKey] = {}
    for key in json.loads(text)["keys"]:
        fits = key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and "d" not in key
        if fits and _KEY_ID.match(str(key.get("kid", ""))):
            keys[key["kid"]] = read_public_jwk(key)
    return keys


def _key_id_of(token: str, token_type: str) -> str:
    if len(token) > _LONGEST_TOKEN:
        raise TokenRefused("malformed", "the token is too long")
    return _key_id_in(token.partition(".")[0], token_type)


@lru_cache(maxsize=64)  # one entry for each key and kind of token; what is refused is not kept
def _key_id_in(header_part: str, token_type: str) -> str:
    try:
        header = header_in(header_part)
    except BadToken as error:
        raise TokenRefused("malformed", f"the token cannot be read: {error}") from error
    # Keys or addresses inside a token (jwk, jku, x5u) are an attack: a header with more than the three is refused.
    if set(header) - _HEADER_FIELDS or header.get("alg") != ALGORITHM or header.get("typ") != token_type:
        raise TokenRefused("malformed", "the token is of another kind")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not _KEY_ID.match(key_id):
        raise TokenRefused("malformed", "the token names no key")
    return key_id


def _is_time(value: object) -> bool:
    """Whether it is a NumericDate (RFC 7519 §2) that a clock can show: not before 1970, not after the year 9999."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _END_OF_TIME


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
