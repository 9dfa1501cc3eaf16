"""Signed tokens in their compact form (RFC 7515 §3.1), with Ed25519 (RFC 8037) and nothing else.

libsodium signs and checks, in a third of the time that OpenSSL takes: a call by somebody new waits for little else.
PyJWT reads and writes keys. Tokens have one form here and need none of its choices, which cost as much as a signature.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

__all__ = [
    "ALGORITHM",
    "BadToken",
    "PrivateKey",
    "PublicKey",
    "header_in",
    "opened",
    "payload_in",
    "private_jwk",
    "public_jwk",
    "read_private_jwk",
    "read_public_jwk",
    "sealed",
]

ALGORITHM = "EdDSA"

PrivateKey = SigningKey
PublicKey = VerifyKey


class BadToken(ValueError):
    """A text that is no such token, or not signed with the key."""


def sealed(payload: bytes, header: Mapping[str, str], key: PrivateKey) -> str:
    """The token; `header` gets the algorithm added."""
    signed = f"{_header_part(tuple(header.items()))}.{_text_of(payload)}"
    return f"{signed}.{_text_of(key.sign(signed.encode()).signature)}"


def opened(token: str, key: PublicKey) -> bytes:
    """The payload of a token that is signed with the key, whatever its header says (`header_in`). Raises BadToken."""
    signed, _, signature = token.rpartition(".")
    try:
        key.verify(signed.encode(), _bytes_of(signature))
    except (CryptoError, ValueError) as error:  # a signature of another length is a ValueError
        raise BadToken("the signature does not fit") from error
    return payload_in(token)


def payload_in(token: str) -> bytes:
    """The payload of a token, unverified. Raises BadToken."""
    return _bytes_of(token.rpartition(".")[0].partition(".")[2])


def header_in(part: str) -> dict[str, Any]:
    """The header that a token begins with, unverified. Raises BadToken."""
    try:
        header = json.loads(_bytes_of(part))
    except (ValueError, RecursionError) as error:
        raise BadToken(f"the header cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise BadToken("the header is no object")
    return header


@lru_cache(maxsize=64)  # one entry for each key and kind of token
def _header_part(fields: tuple[tuple[str, str], ...]) -> str:
    return _text_of(json.dumps({"alg": ALGORITHM, **dict(fields)}, separators=(",", ":")).encode())


def _text_of(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes_of(text: str) -> bytes:
    """What base64url stands for, in its one spelling: no padding, nothing else between, no bits behind the end."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise BadToken("a part is not base64url") from error
    if _text_of(data) != text:
        raise BadToken("a part has another spelling")
    return data


def public_jwk(key: PrivateKey) -> dict[str, Any]:
    """The public half (RFC 8037 §2)."""
    return OKPAlgorithm.to_jwk(Ed25519PublicKey.from_public_bytes(bytes(key.verify_key)), as_dict=True)


def private_jwk(key: PrivateKey) -> dict[str, Any]:
    """Both halves."""
    return OKPAlgorithm.to_jwk(Ed25519PrivateKey.from_private_bytes(bytes(key)), as_dict=True)


def read_public_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key in a JWK. Raises ValueError or InvalidKeyError when it is none of Ed25519."""
    key = OKPAlgorithm.from_jwk(dict(jwk))
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("a key is not a public Ed25519 key")  # noqa: TRY004 (the text is wrong)
    return PublicKey(key.public_bytes_raw())


def read_private_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """The private key in a JWK. Raises ValueError or InvalidKeyError when it is none of Ed25519."""
    key = OKPAlgorithm.from_jwk(dict(jwk))
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("a key of the ring is not a private Ed25519 key")  # noqa: TRY004 (the text is wrong)
    return PrivateKey(key.private_bytes_raw())
