"""Media sessions, orders of the directory, and the load: contract in, use case, contract out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc as pb_grpc

from services.common.errors import DomainError
from services.media_relay.domain.relay import Relay
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.messages import SEAT_ACTIONS, room_part, seat_change, session_info
from services.media_relay.sessions.changing import Changing
from services.media_relay.sessions.ending import Ending
from services.media_relay.sessions.opening import Opening
from services.media_relay.sessions.orders import Orders
from services.media_relay.sessions.resuming import Resuming
from services.media_relay.sessions.speaking import Speaking

PAGE = 500

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What can be asked of a relay."""

    opening: Opening
    resuming: Resuming
    changing: Changing
    ending: Ending
    orders: Orders
    speaking: Speaking


class MediaRelayRpc(pb_grpc.MediaRelayServiceServicer):
    def __init__(self, relay: Relay, app: UseCases, meter: LoadMeter, count_join: Callable[[str], None]) -> None:
        self._relay = relay
        self._app = app
        self._meter = meter
        self._count_join = count_join

    async def CreateSession(self, request: pb.CreateSessionRequest, _context: Context) -> pb.CreateSessionResponse:
        try:
            opened = await self._app.opening.create_session(request.permit, request.offer_sdp)
        except DomainError as error:
            self._count_join(error.reason)
            raise
        self._count_join("OK")
        return pb.CreateSessionResponse(session_id=opened.session_id, answer_sdp=opened.answer_sdp, etag=opened.etag)

    async def PatchSession(self, request: pb.PatchSessionRequest, _context: Context) -> pb.PatchSessionResponse:
        """Trickles or restarts ICE."""
        done = self._app.resuming.patch_session(request.session_id, request.permit, request.if_match, request.fragment)
        return pb.PatchSessionResponse(fragment=done.fragment, etag=done.etag)

    async def ChangeChannel(self, request: pb.ChangeChannelRequest, _context: Context) -> pb.ChangeChannelResponse:
        channel = await self._app.changing.change_channel(request.session_id, request.permit)
        return pb.ChangeChannelResponse(channel=channel)

    async def DeleteSession(self, request: pb.DeleteSessionRequest, _context: Context) -> pb.DeleteSessionResponse:
        self._app.ending.delete_session(request.session_id, request.permit)
        return pb.DeleteSessionResponse()

    async def ApplySeatChanges(
        self, request: pb.ApplySeatChangesRequest, _context: Context
    ) -> pb.ApplySeatChangesResponse:
        """Carries out changes of seats; an action this build does not know is passed over."""
        await self._app.orders.apply_seat_changes(
            seat_change(each) for each in request.changes if each.action in SEAT_ACTIONS
        )
        return pb.ApplySeatChangesResponse()

    async def ConfigureRooms(self, request: pb.ConfigureRoomsRequest, _context: Context) -> pb.ConfigureRoomsResponse:
        """Takes the relay's parts in rooms."""
        await self._app.orders.configure_rooms(room_part(each) for each in request.parts)
        return pb.ConfigureRoomsResponse()

    async def ListSessions(
        self, _request: pb.ListSessionsRequest, _context: Context
    ) -> AsyncIterator[pb.ListSessionsResponse]:
        """Every session, in pages; at least one page, so that the boot id is told."""
        sessions = list(self._relay.sessions)
        for start in range(0, max(1, len(sessions)), PAGE):
            page = [session_info(session) for session in sessions[start : start + PAGE]]
            yield pb.ListSessionsResponse(boot_id=self._relay.boot_id, sessions=page)

    async def GetLoad(self, _request: pb.GetLoadRequest, _context: Context) -> pb.GetLoadResponse:
        """The load as the heartbeat has it."""
        return pb.GetLoadResponse(load=self._meter.load())
