"""Keys that prove a client to NATS: Ed25519 seeds and public keys in the text form of NATS (nkeys)."""

import base64
import binascii
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.common.settings import SettingsError, read_secret

# The five high bits of a decoded key's first byte: base32 then begins with S (seed) and U (user).
_SEED_PREFIX = 18 << 3
_USER_PREFIX = 20 << 3
_SEED_BYTES = 32
_CRC_BYTES = 2


class NkeyInvalid(ValueError):
    """A text is no seed of a NATS user; the message says why and never repeats the text."""


class UserKey:
    """The key pair of one user of the bus."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is the 32 random bytes of an Ed25519 seed (RFC 8032 §5.1.5)."""
        if len(secret) != _SEED_BYTES:
            raise NkeyInvalid(f"an Ed25519 seed has {_SEED_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    @classmethod
    def from_seed(cls, text: str) -> Self:
        """Reads a seed such as SUAB…; raises NkeyInvalid."""
        raw = _decode(text.strip())
        if len(raw) != 2 + _SEED_BYTES:
            raise NkeyInvalid("it has the wrong length for a seed")
        # The kind of key is spread over the low three bits of the first byte and the high five of the second.
        kind = ((raw[0] & 0b111) << 5) | (raw[1] >> 3)
        if raw[0] & 0b11111000 != _SEED_PREFIX:
            raise NkeyInvalid("it is not a seed: seeds begin with SU")
        if kind != _USER_PREFIX:
            raise NkeyInvalid("it is not the seed of a user: those begin with SU")
        return cls(raw[2:])

    @property
    def seed(self) -> str:
        """The secret as text."""
        return _encode(bytes([_SEED_PREFIX | (_USER_PREFIX >> 5), (_USER_PREFIX & 0b11111) << 3]) + self._secret)

    @property
    def public(self) -> str:
        """The name by which the server's configuration knows this key; it begins with U."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _encode(bytes([_USER_PREFIX]) + raw)

    def sign(self, nonce: bytes) -> bytes:
        """The raw signature of the server's challenge, 64 bytes."""
        return self._key.sign(nonce)


def read_user_key(path: Path) -> UserKey:
    """The key whose seed a file holds. Raises SettingsError naming the file."""
    try:
        return UserKey.from_seed(read_secret(path))
    except NkeyInvalid as error:
        raise SettingsError(f"{path} does not hold the seed of a NATS user: {error}") from error


def _encode(body: bytes) -> str:
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(_CRC_BYTES, "little")).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise NkeyInvalid("it is not base32 in capitals") from error
    body, check = raw[:-_CRC_BYTES], raw[-_CRC_BYTES:]
    if len(raw) <= _CRC_BYTES or binascii.crc_hqx(body, 0) != int.from_bytes(check, "little"):
        raise NkeyInvalid("its checksum is wrong: a character is missing or mistyped")
    return body
