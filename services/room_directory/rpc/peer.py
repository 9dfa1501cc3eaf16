"""PeerService: what copies of this service tell each other."""

from typing import Any, Protocol

from majlis.room_directory.v1 import moderation_service_pb2, peer_service_pb2_grpc
from majlis.room_directory.v1 import peer_service_pb2 as pb

from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.ownership.arrivals import Arrivals
from services.room_directory.app.ownership.keeper import Ownership
from services.room_directory.app.waiting import WaitingRoom
from services.room_directory.messages import relays as relay_messages


class Owning(Protocol):
    """Which rooms are this copy's."""

    @property
    def ownership(self) -> Ownership | None: ...

    @property
    def arrivals(self) -> Arrivals: ...


class PeerServicer(peer_service_pb2_grpc.PeerServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, owning: Owning, moderation: ModerationCases, waiting: WaitingRoom) -> None:
        self._waiting = waiting
        self._owning = owning
        self._moderation = moderation

    async def TakeRooms(self, request: pb.TakeRoomsRequest, context: Any) -> pb.TakeRoomsResponse:
        arrivals = self._owning.arrivals
        # With further pages of seats their rooms are here already: who gives them away waits, and everybody behind.
        if self._owning.ownership is not None and not arrivals.are_here({seat.room_id for seat in request.seats}):
            await self._owning.ownership.round()
        await arrivals.seat(relay_messages.given_seats(request.seats, arrivals.clock.now()))
        return pb.TakeRoomsResponse()

    async def NoteBlock(self, request: pb.NoteBlockRequest, context: Any) -> pb.NoteBlockResponse:
        here = self._moderation.note_block(request.blocker_id, request.blocked_id, stands=request.stands)
        rooms = [moderation_service_pb2.RoomOfBlocked(room_id=room_id, title=title) for room_id, title in here]
        return pb.NoteBlockResponse(rooms=rooms)

    async def NotePlacesLeft(self, request: pb.NotePlacesLeftRequest, context: Any) -> pb.NotePlacesLeftResponse:
        self._waiting.note_places_left([(place.room_id, place.user_id) for place in request.places])
        return pb.NotePlacesLeftResponse()
