"""Tickets: what lets somebody listen over HTTPS with a player that can show nothing but an address."""

import base64
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError
from majlis.gateway.v1 import listen_service_pb2 as pb

from services.common.errors import FieldInvalid
from services.common.ids import is_id
from services.common.trust.tokens import AccessToken
from services.gateway.domain.listening import PREFIX
from services.gateway.domain.wish import LANGUAGE, THRIFT, UNDERSTANDS, Wish, wish_of
from services.gateway.reasons import refuse

GET_LISTEN_TICKET = "/majlis.gateway.v1.ListenService/GetListenTicket"
OPENS_SECONDS = 60
"""How long a ticket opens streams; those that it opened stay."""
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who hears what of which room."""

    access: AccessToken
    wish: Wish


class Tickets:
    """Seals tickets, and opens those that are shown; copies with the same secret open each other's.

    A ticket holds no token: it opens streams of one room for one person, who needs a seat there, and ends with the
    sign-in that it was made for.
    """

    def __init__(self, service_secret: str, now: Callable[[], float] = time.time) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"gateway listen tickets").derive(service_secret.encode())
        self._cipher = AESGCM(key)
        self._now = now

    def seal(self, access: AccessToken, room_id: str, wish: Wish) -> tuple[str, int]:
        """A ticket, and the epoch second until which it opens."""
        until = int(self._now()) + OPENS_SECONDS
        said = [access.user_id, access.sign_in_id, access.issued_at, until, wish.language, *wish.understands]
        if wish.thrift:
            said.append(True)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(said).encode(), room_id.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("="), until

    def open(self, ticket: str, room_id: str) -> Ticket:
        """What it says. Raises PERMIT_INVALID for one of another room, not of ours, or over."""
        try:
            data = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
            plain = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], room_id.encode())
        except (ValueError, InvalidTag):
            raise refuse("PERMIT_INVALID", "this ticket opens nothing here") from None
        user_id, sign_in_id, issued_at, until, language, *rest = json.loads(plain)
        if until < self._now():
            raise refuse("PERMIT_INVALID", "this ticket is over: ask for another")
        access = AccessToken(user_id, sign_in_id, False, frozenset({"listen"}), issued_at, until)
        return Ticket(access, Wish(language, tuple(each for each in rest if each is not True), thrift=True in rest))

    async def answer(self, access: AccessToken, request: bytes) -> bytes:
        """GetListenTicket, as bytes. Raises FieldInvalid, BodyInvalid for two wishes at once, and LANGUAGE_INVALID."""
        try:
            asked = pb.GetListenTicketRequest.FromString(request)
        except DecodeError:
            raise FieldInvalid("the request is not a GetListenTicketRequest") from None
        if not is_id(asked.room_id):
            raise FieldInvalid(fields=(("room_id", "must be a room's id"),))
        try:
            wish = wish_of({word: text.encode() for word, text in _chosen(asked).items() if text})
        except ValueError as error:
            raise refuse("LANGUAGE_INVALID", str(error)) from None
        ticket, until = self.seal(access, asked.room_id, wish)
        response = pb.GetListenTicketResponse(path=f"{PREFIX}t/{ticket}/{asked.room_id}")
        response.opens_until.FromSeconds(until)
        return response.SerializeToString()


def _chosen(asked: pb.GetListenTicketRequest) -> dict[str, str]:
    thrift = "1" if asked.thrift else ""
    return {LANGUAGE: asked.language, UNDERSTANDS: ",".join(asked.understands), THRIFT: thrift}
