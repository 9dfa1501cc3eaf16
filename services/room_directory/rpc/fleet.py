"""FleetService: what relays and gateways ask and tell."""

from typing import Any, Protocol

from majlis.room_directory.v1 import fleet_service_pb2 as pb
from majlis.room_directory.v1 import fleet_service_pb2_grpc, sessions_pb2

from services.common.rpc.server import current_caller
from services.room_directory.app.captions import CaptionCases
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.keys import Keys
from services.room_directory.app.ownership.passing import Passing
from services.room_directory.app.presence import Presence, StreamNews
from services.room_directory.app.rooms import RoomCases
from services.room_directory.messages import captions as caption_messages
from services.room_directory.messages import relays as relay_messages
from services.room_directory.rpc.snapshots import Snapshots


class Peers(Protocol):
    """The other copies of this service; calls raise DomainError."""

    async def report_streams(self, address: str, changes: list[sessions_pb2.StreamChange]) -> None:
        """Passes on which event streams opened or went."""
        ...

    async def report_listeners(self, address: str, gateway_id: str, rooms: list[sessions_pb2.RoomListeners]) -> None:
        """Passes on who listens over HTTPS at a gateway."""
        ...

    async def report_sessions(
        self, address: str, relay_id: str, boot_id: str, changes: list[sessions_pb2.SessionChange]
    ) -> None:
        """Passes on what became of a relay's sessions."""
        ...


class FleetServicer(fleet_service_pb2_grpc.FleetServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(
        self,
        *,
        rooms: RoomCases,
        presence: Presence,
        captions: CaptionCases,
        fleet: Fleet,
        keys: Keys,
        snapshots: Snapshots,
        passing: Passing,
        peers: Peers,
    ) -> None:
        self._rooms = rooms
        self._presence = presence
        self._captions = captions
        self._fleet = fleet
        self._keys = keys
        self._snapshots = snapshots
        self._passing = passing
        self._peers = peers

    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Any) -> pb.GetSnapshotResponse:
        live = await self._rooms.get_snapshot(request.room_id)
        # Snapshot and queue are of one moment: whoever the one shows as moderators may have the other.
        snapshot, queue = self._snapshots.of(live), self._snapshots.queue_of(live)
        return pb.GetSnapshotResponse(snapshot=snapshot, queue=queue, term=live.room.term)

    async def AuthorizeWatchers(
        self, request: pb.AuthorizeWatchersRequest, context: Any
    ) -> pb.AuthorizeWatchersResponse:
        room, seats = await self._rooms.authorize_watch(request.room_id, request.user_ids)
        return pb.AuthorizeWatchersResponse(decisions=[relay_messages.watch_decision(room, seat) for seat in seats])

    async def ReportStreams(self, request: pb.ReportStreamsRequest, context: Any) -> pb.ReportStreamsResponse:
        changes = await self._passing.sort(
            request.changes, _room_of, self._peers.report_streams, passed_on=_is_passed_on()
        )
        news = [StreamNews(each.room_id, each.user_id, each.epoch, each.open, each.sound) for each in changes]
        await self._presence.report_streams(news)
        return pb.ReportStreamsResponse()

    async def ReportListeners(self, request: pb.ReportListenersRequest, context: Any) -> pb.ReportListenersResponse:
        async def pass_on(address: str, rooms: list[sessions_pb2.RoomListeners]) -> None:
            await self._peers.report_listeners(address, request.gateway_id, rooms)

        mine = await self._passing.sort(request.rooms, _room_of, pass_on, passed_on=_is_passed_on())
        load = relay_messages.gateway_load(request.load) if request.HasField("load") else None
        self._fleet.listeners.report(request.gateway_id, relay_messages.told_listeners(mine), load)
        return pb.ReportListenersResponse()

    async def ReportSessions(self, request: pb.ReportSessionsRequest, context: Any) -> pb.ReportSessionsResponse:
        async def pass_on(address: str, changes: list[sessions_pb2.SessionChange]) -> None:
            await self._peers.report_sessions(address, request.relay_id, request.boot_id, changes)

        mine = await self._passing.sort(request.changes, _room_of, pass_on, passed_on=_is_passed_on())
        for each in mine:
            if each.event == sessions_pb2.SESSION_EVENT_REFUSED:
                self._fleet.promises.give_back(request.relay_id, each.room_id, each.user_id, each.permit_id)
        read = [(each.room_id, relay_messages.session_news(each, request.relay_id)) for each in mine]
        changes = [(room_id, news) for room_id, news in read if news is not None]
        await self._presence.report_sessions(request.relay_id, request.boot_id, changes)
        return pb.ReportSessionsResponse()

    async def SyncCaptions(self, request: pb.SyncCaptionsRequest, context: Any) -> pb.SyncCaptionsResponse:
        known = [caption_messages.read_caption(each) for each in request.known]
        captions, term = await self._captions.sync(request.room_id, request.language, known)
        return pb.SyncCaptionsResponse(captions=[caption_messages.caption(each) for each in captions], term=term)

    async def ListRelays(self, request: pb.ListRelaysRequest, context: Any) -> pb.ListRelaysResponse:
        relays = [
            sessions_pb2.RelayAddress(
                relay_id=relay.relay_id, boot_id=relay.boot_id, grpc_address=relay.grpc_address, accepting=accepting
            )
            for relay, accepting in self._fleet.list_relays()
        ]
        return pb.ListRelaysResponse(relays=relays)

    async def GetKeySet(self, request: pb.GetKeySetRequest, context: Any) -> pb.GetKeySetResponse:
        return pb.GetKeySetResponse(jwks_json=await self._keys.published())


def _room_of(change: sessions_pb2.StreamChange | sessions_pb2.SessionChange | sessions_pb2.RoomListeners) -> str:
    return change.room_id


def _is_passed_on() -> bool:
    """Whether another copy of this service passes on what it was told."""
    return current_caller().service == "room_directory"
