"""Gives clients ICE servers with fresh credentials, in the permits that pass through the gateway."""

from collections.abc import AsyncGenerator

from google.protobuf.message import Message
from majlis.room_directory.v1 import room_pb2

from services.common.clock import Clock
from services.common.ids import new_id
from services.gateway.call.calls import Owners
from services.gateway.call.forwarder import Metadata
from services.gateway.call.offered import Catalogue, Offered
from services.gateway.domain.ice import IceOffer, IceServer

_PERMIT = room_pb2.MediaPermit.DESCRIPTOR.full_name


class IceServers:
    """The deployment's servers; false when there are none."""

    def __init__(self, offer: IceOffer, clock: Clock) -> None:
        self._offer = offer
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._offer)

    def fresh(self) -> list[IceServer]:
        """The servers with credentials made now, for one session of somebody who was let in."""
        return self._offer.servers(self._clock.now(), new_id())


class WithIceServers:
    """Adds them to each media permit in an answer: whoever gets a permit can use it, without another question."""

    def __init__(self, owners: Owners, catalogue: Catalogue, ice: IceServers) -> None:
        self._owners = owners
        self._ice = ice
        self._permits = {
            offered.path: field.name
            for offered in catalogue
            for field in offered.response_type.DESCRIPTOR.fields
            if field.message_type is not None and field.message_type.full_name == _PERMIT
        }

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        """The owner's answer, with the servers where it holds a permit."""
        answer = await self._owners.unary(offered, request, metadata, seconds)
        field = self._permits.get(offered.path)
        if field is None:
            return answer
        message: Message = offered.response_type.FromString(answer)
        if not message.HasField(field):
            return answer
        permit: room_pb2.MediaPermit = getattr(message, field)
        permit.ice_servers.extend(
            room_pb2.IceServer(urls=each.urls, username=each.username, credential=each.credential)
            for each in self._ice.fresh()
        )
        return message.SerializeToString()

    def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncGenerator[bytes, None]:
        """As the owner answers: no stream holds a permit."""
        return self._owners.stream(offered, request, metadata)
