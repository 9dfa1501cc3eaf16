"""Who asks, and what several RPCs answer with."""

from majlis.room_directory.v1 import room_pb2

from services.common.errors import FieldInvalid
from services.common.rpc.server import current_caller
from services.room_directory.app.people import People
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.room import Room
from services.room_directory.messages import rooms as messages

PAGE = 50
"""Rows of a page for who does not say how many."""
_SPEAK, _ROOMS = "speak", "rooms"
"""The scopes that open a microphone, and that lead rooms: some RPCs need them by what the caller is or asks for."""


def actor() -> Actor:
    """The caller as rooms know them."""
    caller = current_caller()
    may_speak, may_lead = (caller.scopes is None or scope in caller.scopes for scope in (_SPEAK, _ROOMS))
    proof = Proof(caller.sign_in_id or "", caller.issued_at)
    return Actor(
        caller.user,
        operator=caller.operator,
        may_speak=may_speak,
        may_lead=may_lead,
        proof=proof,
        region=caller.region,
    )


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
