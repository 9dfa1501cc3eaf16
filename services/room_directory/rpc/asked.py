"""Who asks, and what several RPCs answer with."""

from majlis.room_directory.v1 import room_pb2

from services.common.errors import FieldInvalid
from services.common.rpc.server import current_caller
from services.room_directory import messages
from services.room_directory.app.people import People
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.room import Room

PAGE = 50
"""Rows of a page for who does not say how many."""
_SPEAK = "speak"
"""The scope that opens a microphone; two RPCs need it only when the caller is on stage."""


def actor() -> Actor:
    """The caller as rooms know them."""
    caller = current_caller()
    may_speak = caller.scopes is None or _SPEAK in caller.scopes
    proof = Proof(caller.sign_in_id or "", caller.issued_at)
    return Actor(caller.user, operator=caller.operator, may_speak=may_speak, proof=proof, region=caller.region)


def own_seat(room: Room, people: People) -> room_pb2.OwnSeat:
    """The caller's own place in a room."""
    user_id = current_caller().user
    return messages.own_seat(room, user_id, people.known((user_id,)))


def key_for_caller(room: Room) -> str:
    """The key of a closed room, for its moderators; empty for all others."""
    return room.room_key if room.is_moderator(current_caller().user) else ""


def offset_of(token: str) -> int:
    """Where a page begins. Raises FieldInvalid."""
    if not token:
        return 0
    if not token.isdecimal():
        raise FieldInvalid(fields=(("page_token", "is not from the page before"),))
    return int(token)


def token_of(offset: int | None) -> str:
    """What asks for the page that begins there; empty where there is none."""
    return "" if offset is None else str(offset)
