"""Signed tokens in their compact form (RFC 7515 §3.1), with Ed25519 (RFC 8037) and nothing else.

PyJWT reads and writes tokens and keys; libsodium signs and checks, in a third of the time that OpenSSL takes: a call by
somebody new waits for little else.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import Algorithm, OKPAlgorithm
from jwt.api_jws import PyJWS
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

__all__ = [
    "ALGORITHM",
    "BadToken",
    "PrivateKey",
    "PublicKey",
    "header_in",
    "opened",
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


class _Sodium(Algorithm):
    """Ed25519 by libsodium, in the form in which PyJWT asks for it."""

    def prepare_key(self, key: Any) -> Any:
        return key

    def sign(self, msg: bytes, key: Any) -> bytes:
        signature: bytes = key.sign(msg).signature
        return signature

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        try:
            key.verify(msg, sig)
        except (CryptoError, ValueError):  # a signature of another length is a ValueError
            return False
        return True

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: Any) -> NoReturn:
        raise NotImplementedError


_jws = PyJWS(algorithms=[])
"""Signs and checks; the algorithm is never taken from a token."""
_jws.register_algorithm(ALGORITHM, _Sodium())


def sealed(payload: bytes, header: dict[str, str], key: PrivateKey) -> str:
    """The token; `header` gets the algorithm added."""
    return _jws.encode(payload, key, algorithm=ALGORITHM, headers=header)  # type: ignore[arg-type]


def opened(token: str, key: PublicKey) -> bytes:
    """The payload of a token that is signed with the key. Raises BadToken."""
    if "=" in token:
        raise BadToken("padding: of a token there is one spelling (RFC 7515 §2)")
    try:
        payload: bytes = _jws.decode(token, key, algorithms=[ALGORITHM])  # type: ignore[arg-type]
    except jwt.InvalidTokenError as error:
        raise BadToken(str(error)) from error
    return payload


def header_in(part: str) -> dict[str, Any]:
    """The header that a token begins with, unverified. Raises BadToken."""
    try:
        # The library reads whole tokens only; the other two parts do not matter here.
        return _jws.get_unverified_header(f"{part}.e30.")
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise BadToken("it does not begin with the header of a token") from error


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
