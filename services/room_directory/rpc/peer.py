"""PeerService: what copies of this service tell each other."""

from typing import Any

from majlis.room_directory.v1 import peer_service_pb2 as pb
from majlis.room_directory.v1 import peer_service_pb2_grpc

from services.room_directory.app.blocks import Blocks
from services.room_directory.app.ownership.keeper import Ownership


class PeerServicer(peer_service_pb2_grpc.PeerServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, ownership: Ownership | None, blocks: Blocks) -> None:
        self._ownership = ownership
        self._blocks = blocks

    async def TakeRooms(self, request: pb.TakeRoomsRequest, context: Any) -> pb.TakeRoomsResponse:
        if self._ownership is not None:
            await self._ownership.round()
        return pb.TakeRoomsResponse()

    async def NoteBlock(self, request: pb.NoteBlockRequest, context: Any) -> pb.NoteBlockResponse:
        self._blocks.note(request.blocker_id, request.blocked_id, stands=request.stands)
        return pb.NoteBlockResponse()
