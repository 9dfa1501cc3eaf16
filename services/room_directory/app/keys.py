"""The keys that sign permits and tickets: all copies of this service share them, and any may rotate them."""

from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from services.common.errors import StorageUnavailable
from services.common.trust.key_ring import KeyRing


class KeyStore(Protocol):
    """Where the ring is kept."""

    async def stored_ring(self) -> KeyRing:
        """The ring as it is now."""
        ...

    async def key_ring(self, life: timedelta) -> KeyRing:
        """The ring, made where there is none, and rotated where the current key is older than `life`."""
        ...


class Keys:
    """One ring for all that sign here. What verifies is asked of the store, for another copy may sign with more."""

    def __init__(self, store: KeyStore, life: timedelta, ring: KeyRing) -> None:
        self._store = store
        self._life = life
        self.ring = ring

    @classmethod
    async def open(cls, store: KeyStore, life: timedelta) -> "Keys":
        """The keys as they are stored; made at the first start. Raises StorageUnavailable."""
        try:
            ring = await store.key_ring(life)
        except StorageUnavailable:
            # They can be read, and are made anew when there is room.
            ring = await store.stored_ring()
        return cls(store, life, ring)

    async def published(self) -> str:
        """The public keys as a JSON Web Key Set; those that are known here while nothing can be read."""
        with suppress(StorageUnavailable):
            self._take(await self._store.stored_ring())
        return self.ring.jwks_json()

    async def rotate(self) -> None:
        """Signs with a fresh key when that is due; call it now and then."""
        self._take(await self._store.key_ring(self._life))

    def _take(self, ring: KeyRing) -> None:
        self.ring.current, self.ring.previous = ring.current, ring.previous
