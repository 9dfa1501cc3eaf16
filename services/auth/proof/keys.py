"""Keeps the deployment's signing keys in the store, and turns them over."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.auth.storage.store import StoredSecret
from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.common.store.database import Conflict
from services.common.trust.claims import ACCESS, TokenSigner
from services.common.trust.key_ring import KeyRing

_RING = "key_ring"
_TOKEN_KEY = "token_key"  # noqa: S105 - the name of a row
_RELOAD_AFTER_SECONDS = 2.0

_log = get_logger("keys")


class SecretStore(Protocol):
    """Where secrets of the deployment are kept."""

    async def load_secret(self, name: str) -> StoredSecret | None: ...

    async def save_secret(self, name: str, value: str, now: datetime, loaded: StoredSecret | None) -> None:
        """Stores a secret in place of the one that was loaded. Raises Conflict when another copy was faster."""
        ...


class DeploymentKeys:
    """Signs access tokens; made by `open`, with keys from the store."""

    def __init__(
        self, store: SecretStore, clock: Clock, rotate_every: timedelta, *, stored: StoredSecret, token_key: bytes
    ) -> None:
        self._store = store
        self._clock = clock
        self._rotate_every = rotate_every
        self._stored = stored
        self._ring = KeyRing.restore(stored.value)
        self._loaded_at = clock.monotonic()
        self._token_key = token_key

    @classmethod
    async def open(cls, store: SecretStore, clock: Clock, rotate_every: timedelta) -> "DeploymentKeys":
        """Loads the keys, or makes them at the first start; copies that start together agree on the same."""
        stored = await _ensure(store, _RING, lambda: KeyRing.create(clock.now()).dump(), clock)
        token_key = await _ensure(store, _TOKEN_KEY, lambda: secrets.token_hex(32), clock)
        return cls(store, clock, rotate_every, stored=stored, token_key=bytes.fromhex(token_key.value))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An access token with these claims, by the words of the contract."""
        return TokenSigner(ACCESS, self._ring).sign(claims)

    @property
    def token_key(self) -> bytes:
        """Keys the hashes of codes and the chain of refresh tokens."""
        return self._token_key

    async def jwks_json(self) -> str:
        """The public keys; fresh from the store, since another copy may have turned them over."""
        if self._clock.monotonic() - self._loaded_at > _RELOAD_AFTER_SECONDS:
            await self._reload()
        return self._ring.jwks_json()

    async def rotate_if_due(self) -> None:
        """Makes a new key current when the present one is old enough; run it now and then."""
        await self._reload()
        now = self._clock.now()
        if now - self._ring.current.created_at < self._rotate_every:
            return
        ring = KeyRing.restore(self._stored.value)
        ring.rotate(now)
        try:
            await self._store.save_secret(_RING, ring.dump(), now, self._stored)
        except Conflict:
            _log.info("another copy has turned the keys over")
        await self._reload()
        _log.info("signing with a new key", key_id=self._ring.current.key_id)

    async def _reload(self) -> None:
        self._stored = await _ensure(self._store, _RING, lambda: KeyRing.create(self._clock.now()).dump(), self._clock)
        self._ring = KeyRing.restore(self._stored.value)
        self._loaded_at = self._clock.monotonic()


async def _ensure(store: SecretStore, name: str, make: Callable[[], str], clock: Clock) -> StoredSecret:
    found = await store.load_secret(name)
    if found is None:
        try:
            await store.save_secret(name, make(), clock.now(), None)
        except Conflict:
            _log.info("another copy has made the secret", name=name)
        found = await store.load_secret(name)
    if found is None:
        raise RuntimeError(f"the secret {name} cannot be kept")
    return found
