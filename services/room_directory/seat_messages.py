"""Seats and media sessions as services tell each other of them."""

from collections.abc import Iterable
from datetime import datetime

from majlis.room_directory.v1 import fleet_service_pb2, peer_service_pb2, sessions_pb2
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.errors import DomainError
from services.room_directory.domain.people import Proof
from services.room_directory.domain.presence import SessionNews
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Seat, SessionState
from services.room_directory.messages import MEDIA_KINDS, ROLES

_SESSION_STATES = {
    sessions_pb2.SESSION_EVENT_OPENED: SessionState.PENDING,
    sessions_pb2.SESSION_EVENT_CONNECTED: SessionState.UP,
    sessions_pb2.SESSION_EVENT_IDLE: SessionState.IDLE,
    sessions_pb2.SESSION_EVENT_ENDED: SessionState.DOWN,
}


def session_news(change: sessions_pb2.SessionChange, relay_id: str) -> SessionNews | None:
    """What a relay says of one session; None when it is a kind of news this code does not know."""
    state, kind = _SESSION_STATES.get(change.event), MEDIA_KINDS.get(change.kind)
    if state is None or kind is None:
        return None
    return SessionNews(
        session_id=change.session_id,
        user_id=change.user_id,
        epoch=change.epoch,
        kind=kind,
        state=state,
        by_client=change.cause == sessions_pb2.SESSION_CAUSE_DELETED,
        by_leaving_relay=change.cause == sessions_pb2.SESSION_CAUSE_DRAINING,
        relay_id=relay_id,
        proof=Proof(change.sign_in_id, change.issued_at),
        permit_id=change.permit_id,
        serial=change.serial,
    )


def given_seat(room_id: str, seat: Seat) -> peer_service_pb2.GivenSeat:
    """A seat for the next owner of its room."""
    return peer_service_pb2.GivenSeat(
        room_id=room_id,
        user_id=seat.user_id,
        epoch=seat.epoch,
        device_epoch=seat.device_epoch,
        stream_epoch=seat.stream_epoch if seat.stream else 0,
        sign_in_id=seat.proof.sign_in_id,
        token_issued_at=seat.proof.issued_at,
    )


def given_seats(seats: Iterable[peer_service_pb2.GivenSeat], now: datetime) -> list[tuple[str, Seat]]:
    """Seats of the owner before, each with its room, as of now."""
    return [
        (
            each.room_id,
            Seat(
                user_id=each.user_id,
                epoch=each.epoch,
                device_epoch=each.device_epoch,
                joined_at=now,
                pending_since=now,
                unheard_since=now,
                stream=bool(each.stream_epoch),
                stream_epoch=each.stream_epoch,
                proof=Proof(each.sign_in_id, each.token_issued_at),
            ),
        )
        for each in seats
    ]


def watch_decision(room: Room, seat: Seat | DomainError) -> fleet_service_pb2.WatchDecision:
    """Whether the holder of a seat, or somebody without one, may watch the room."""
    if isinstance(seat, Seat):
        return fleet_service_pb2.WatchDecision(epoch=seat.epoch, role=ROLES[room.role_of(seat.user_id)])
    reason = f"ROOM_DIRECTORY_ERROR_REASON_{seat.reason}"
    return fleet_service_pb2.WatchDecision(refusal=RoomDirectoryErrorReason.Value(reason))
