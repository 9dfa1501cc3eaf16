"""Reads where a media permit leads, and seals permits into the addresses of sessions opened without one."""

import base64
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from majlis.contract.v1 import tokens_pb2

from services.common.trust.claims import TokenKind
from services.gateway.call.unverified import read_token
from services.gateway.reasons import refuse

_PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class PermitClaims:
    """What the gateway needs of a permit; nothing here is verified, the relay does that."""

    room_id: str
    relay_id: str
    kind: str
    user_id: str = ""
    booth: str = ""


def read_permit(token: str) -> PermitClaims | None:
    """The claims of a token that says it is a media permit (RFC 7519); None for any other token."""
    said = read_token(token)
    if said is None or said.type != _PERMIT.type:
        return None
    return PermitClaims(*said.texts(_PERMIT, "room_id", "relay_id", "kind", "user_id", "booth"))


class PermitSeal:
    """Encrypts the permit the gateway fetched for a client into its session's address.

    A client that came with an access token does not know the permit its later requests need, and the gateway keeps
    nothing. The sealed permit opens only for the same person, so the address alone is worth nothing.
    """

    def __init__(self, service_secret: str) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"gateway media session address").derive(service_secret.encode())
        self._cipher = AESGCM(key)

    def seal(self, permit: str, session_id: str, user_id: str) -> str:
        """The permit as a path segment for this session and person."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, permit.encode(), _bound_to(session_id, user_id))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, sealed: str, session_id: str, user_id: str) -> str:
        """The permit. Raises PERMIT_INVALID when it was sealed for another session or person, or not by us."""
        try:
            data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            permit = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound_to(session_id, user_id))
        except (ValueError, InvalidTag):
            raise refuse("PERMIT_INVALID", "this session is not yours") from None
        return permit.decode()


def _bound_to(session_id: str, user_id: str) -> bytes:
    return f"{session_id} {user_id}".encode()
