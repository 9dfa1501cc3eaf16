"""Signing keys of an issuer: the current one, and the previous one that may still be met."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.common.trust.jws import ALGORITHM, PrivateKey, private_jwk, public_jwk, read_private_jwk, sealed


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One Ed25519 key and when it was made."""

    key_id: str
    private: PrivateKey
    created_at: datetime


_to_json = json.JSONEncoder(separators=(",", ":")).encode


class KeyRing:
    """Signs tokens with the current key and publishes the keys that verify them."""

    def __init__(self, current: SigningKey, previous: SigningKey | None = None) -> None:
        self.current = current
        self.previous = previous

    @classmethod
    def create(cls, now: datetime) -> "KeyRing":
        """A ring with one fresh key."""
        return cls(_new_key(now))

    @classmethod
    def restore(cls, secret: str) -> "KeyRing":
        """The ring that `dump` wrote. Raises ValueError when it is not one."""
        keys = [_read_key(entry) for entry in json.loads(secret)["keys"]]
        if not 1 <= len(keys) <= 2:
            raise ValueError("a key ring holds one or two keys")
        return cls(*keys)

    def dump(self) -> str:
        """The whole ring with its private keys, as JSON: keep it as a secret."""
        return json.dumps({"keys": [_write_key(key) for key in self._keys()]})

    def rotate(self, now: datetime) -> None:
        """Makes a fresh key current; the one before verifies until the next rotation, the one before that no more."""
        self.previous, self.current = self.current, _new_key(now)

    def jwks_json(self) -> str:
        """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return json.dumps({"keys": [_public_jwk(key) for key in self._keys()]})

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A token with these claims, whose header says `typ` and the current key's id."""
        header = {"typ": typ, "kid": self.current.key_id}
        return sealed(_to_json(dict(claims)).encode(), header, self.current.private)

    def _keys(self) -> list[SigningKey]:
        return [key for key in (self.current, self.previous) if key is not None]


def _new_key(now: datetime) -> SigningKey:
    return SigningKey(secrets.token_urlsafe(9), PrivateKey.generate(), now)


def _public_jwk(key: SigningKey) -> dict[str, Any]:
    return {**public_jwk(key.private), "kid": key.key_id, "alg": ALGORITHM, "use": "sig"}


def _write_key(key: SigningKey) -> dict[str, Any]:
    return {**private_jwk(key.private), "kid": key.key_id, "iat": int(key.created_at.timestamp())}


def _read_key(entry: Mapping[str, Any]) -> SigningKey:
    private = read_private_jwk(entry)
    return SigningKey(str(entry["kid"]), private, datetime.fromtimestamp(entry["iat"], UTC))
