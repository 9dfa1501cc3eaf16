"""A room directory with everything around it: a fake auth, fake relays over real gRPC, a real bus, real databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc
from majlis.room_directory.v1 import (
    booth_events_pb2,
    caption_pb2,
    fleet_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    sessions_pb2,
    stage_service_pb2,
)

from services.common.bus.client import Bus
from services.common.clock import Clock, SystemClock
from services.common.errors import DomainError
from services.common.ids import new_id
from services.common.rpc.client import ServiceChannel
from services.common.rpc.errors import RemoteError, raise_for
from services.common.rpc.server import RpcServer
from services.common.sight.metrics import Metrics
from services.common.store.database import Database
from services.common.store.migrations import migrate
from services.common.tasks import Background
from services.common.trust.tokens import TokenVerifier
from services.room_directory import build as parts_of
from services.room_directory.__main__ import MIGRATIONS
from services.room_directory.owning import own
from services.room_directory.settings import Settings
from tests.support.auth_contract import AUTH
from tests.support.directory_contract import DirectoryStub
from tests.support.fake_auth import FakeAuth, person
from tests.support.rpc_harness import SECRET, RpcHarness, TokenMint, serving, test_settings

EVENTS = tuple(
    getattr(file, name)
    for file in (room_events_pb2, booth_events_pb2, caption_pb2)
    for name in file.DESCRIPTOR.message_types_by_name
    if name not in {"RoomEvent", "RoomPulse", "Caption", "Captioner", "CaptionTold"}
)

on_both_databases = pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
"""For tests of what is written down: once on each kind of database."""


class FakeRelay(media_relay_service_pb2_grpc.MediaRelayServiceServicer):
    """A relay without sound: it notes what it is told and lists the sessions a test gives it."""

    def __init__(self, directory: Path, nats_url: str, relay_id: str = "relay00000") -> None:
        self.relay_id = relay_id
        self.boot_id = new_id()
        self.changes: list[relay_pb.SeatChange] = []
        self.parts: dict[str, relay_pb.RoomPart] = {}
        self.sessions: list[relay_pb.SessionInfo] = []
        self.load: dict[str, Any] = {"packets_per_second_budget": 400_000}
        self.clock: Clock = SystemClock()
        self.refuse = False
        self.pause = 0.0
        self._settings = test_settings(directory, nats_url=nats_url)
        self._address = "127.0.0.1:0"
        self._server: RpcServer | None = None
        self._beats: Background | None = None
        self.bus = Bus(self._settings, Metrics("media_relay"))

    async def GetLoad(self, request: Any, context: Any) -> relay_pb.GetLoadResponse:
        return relay_pb.GetLoadResponse(load=self.report())

    async def ConfigureRooms(self, request: relay_pb.ConfigureRoomsRequest, context: Any) -> Any:
        self.parts |= {part.room_id: part for part in request.parts}
        return relay_pb.ConfigureRoomsResponse()

    async def ApplySeatChanges(self, request: relay_pb.ApplySeatChangesRequest, context: Any) -> Any:
        if self.refuse:
            raise RemoteError("unavailable", "DRAINING", "not now")
        await asyncio.sleep(self.pause)
        self.changes.extend(request.changes)
        return relay_pb.ApplySeatChangesResponse()

    async def ListSessions(self, request: Any, context: Any) -> AsyncIterator[relay_pb.ListSessionsResponse]:
        yield relay_pb.ListSessionsResponse(boot_id=self.boot_id, sessions=self.sessions)

    def report(self) -> relay_pb.RelayLoad:
        load = relay_pb.RelayLoad(relay_id=self.relay_id, boot_id=self.boot_id, grpc_address=self._address, **self.load)
        load.sent_at.FromDatetime(self.clock.now())
        return load

    async def start(self) -> None:
        """Serves, at the same address each time, and sends heartbeats."""
        settings = test_settings(Path(self._settings.service_secret_file).parent, grpc_listen=self._address)
        self._server = RpcServer("media_relay", settings, Metrics("media_relay"))
        service = relay_pb.DESCRIPTOR.services_by_name["MediaRelayService"]
        self._server.add(self, media_relay_service_pb2_grpc.add_MediaRelayServiceServicer_to_server, service)
        await self._server.start()
        self._address = f"127.0.0.1:{self._server.port}"
        if not self.bus.connected:
            await self.bus.connect()
        self._beats = Background()
        await self._beat()
        self._beats.every("beat", 0.5, self._beat)

    async def die(self) -> None:
        """Is gone without a word."""
        if self._beats is not None:
            await self._beats.stop()
        if self._server is not None:
            await self._server.drain()
        self._beats = self._server = None

    async def start_anew(self) -> None:
        """Comes back as a new start that carries nothing."""
        self.boot_id, self.sessions, self.parts, self.changes = new_id(), [], {}, []
        await self.start()

    async def stop(self) -> None:
        await self.die()
        await self.bus.close()

    async def _beat(self) -> None:
        await self.bus.publish(self.report())

    def orders(self, user_id: str) -> list[tuple[int, int]]:
        """What was ordered about a person's seat, as (action, epoch)."""
        return [(change.action, change.epoch) for change in self.changes if change.user_id == user_id]


@dataclass
class World:
    """One directory and what it talks to."""

    tmp_path: Path
    nats_url: str
    database_url: str
    schema: str = ""
    clock: Clock = field(default_factory=SystemClock)
    mint: TokenMint = field(default_factory=TokenMint)
    changes: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the defaults."""
    events: list[Any] = field(default_factory=list)
    pulses: list[Any] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _running: AsyncExitStack | None = None
    _channels: list[ServiceChannel] = field(default_factory=list)

    async def open(self) -> None:
        """Starts everything but relays."""
        self.auth = FakeAuth(self.mint)  # type: ignore[abstract]
        (add, service), *more = AUTH
        self.auth_server: RpcHarness = await self._stack.enter_async_context(
            serving(self.auth, add, service, name="auth", mint=self.mint, strict=False, more=more)
        )
        self.listener = Bus(test_settings(self.tmp_path, nats_url=self.nats_url), Metrics("gateway"))
        await self.listener.connect()
        self._stack.push_async_callback(self.listener.close)
        await self.listener.subscribe_all(EVENTS, self._note(self.events))
        await self.listener.subscribe(room_events_pb2.RoomPulse, self._note(self.pulses))

    @staticmethod
    def _note(kept: list[Any]) -> Callable[[Any], Awaitable[None]]:
        async def note(event: Any) -> None:
            kept.append(event)

        return note

    async def start(self) -> None:
        """Starts the directory on the database there is."""
        settings = Settings(
            service_secret_file=self.tmp_path / "service_secret",
            auth_address=self.auth_server.address,
            nats_url=self.nats_url,
            database_url=self.database_url,
            database_schema=self.schema,
            shutdown_grace_seconds=0.2,
            **self.changes,
        )
        await migrate(settings.database_url, MIGRATIONS, settings.database_schema)
        running = AsyncExitStack()
        self.database = Database(settings.database_url, settings.database_schema)
        running.push_async_callback(self.database.close)
        await self.prepare(self.database)
        background = await running.enter_async_context(Background())
        metrics = self.metrics = Metrics("room_directory")
        parts = await parts_of.build(settings, self.database, metrics, clock=self.clock, background=background)
        server = RpcServer("room_directory", settings, metrics, verifier=parts.verifier, strict=True)
        parts_of.serve(parts, server)
        await parts_of.start(parts, background)
        await server.start()
        await own(parts.owning, parts.blocks, parts.ledger, background)
        await parts_of.listen(parts, background)
        running.push_async_callback(parts.bus.close)
        running.push_async_callback(parts.app.fleet.close)
        running.push_async_callback(parts.owning.peers.close)
        running.push_async_callback(server.drain)
        self.parts, self.metrics, self.port, self._running = parts, metrics, server.port, running
        self.stub: Any = DirectoryStub(self._channel())

    async def prepare(self, database: Database) -> None:
        """What a test does to the database of a start before anything uses it."""

    async def crash(self) -> None:
        """Takes the directory away without letting it say anything to relays."""
        if self._running is not None:
            await self._running.aclose()
        self._running = None

    async def close(self) -> None:
        await self.crash()
        for channel in self._channels:
            await channel.close()
        await self._stack.aclose()

    def _channel(self) -> grpc.aio.Channel:
        # A production channel turns statuses back into refusals with reasons; who calls is told by each call.
        plain = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        self._stack.push_async_callback(plain.close)
        return plain

    def as_user(self, name: str, **how: Any) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.mint.token(person(name), **how)}"),)

    def as_service(self, name: str) -> tuple[tuple[str, str], ...]:
        return (("x-majlis-service", name), ("x-majlis-service-secret", SECRET))

    async def relay(self, relay_id: str = "relay00000") -> FakeRelay:
        """A relay that serves, known to the directory if that runs."""
        relay = FakeRelay(self.tmp_path, self.nats_url, relay_id)  # type: ignore[abstract]
        self._stack.push_async_callback(relay.stop)
        await relay.start()
        if self._running is not None:
            await self.until(lambda: relay_id in self.parts.app.fleet.relays)
        return relay

    # What people do.

    async def create(self, name: str, title: str = "Stars over Sanaa", **fields: Any) -> room_pb2.Room:
        request = room_service_pb2.CreateRoomRequest(request_id=self.request_id(), title=title, language="ar", **fields)
        response = await self.stub.CreateRoom(request, metadata=self.as_user(name))
        room: room_pb2.Room = response.room
        return room

    @staticmethod
    def request_id() -> str:
        return (new_id() + new_id()).encode().hex()[:32]

    async def join(self, name: str, room_id: str, key: str = "", **fields: Any) -> room_service_pb2.JoinRoomResponse:
        request = room_service_pb2.JoinRoomRequest(room_id=room_id, room_key=key, **fields)
        response: room_service_pb2.JoinRoomResponse = await self.stub.JoinRoom(request, metadata=self.as_user(name))
        return response

    async def call(self, name: str, method: str, request: Message, **how: Any) -> Any:
        return await getattr(self.stub, method)(request, metadata=self.as_user(name, **how))

    async def bring_on_stage(self, leader: str, name: str, room_id: str) -> stage_service_pb2.AcceptOfferResponse:
        """Offers the stage and accepts it."""
        offer = stage_service_pb2.OfferStageRequest(room_id=room_id, user_id=person(name))
        offered = await self.call(leader, "OfferStage", offer)
        accept = stage_service_pb2.AcceptOfferRequest(room_id=room_id, offer_id=offered.offer.offer_id)
        response: stage_service_pb2.AcceptOfferResponse = await self.call(name, "AcceptOffer", accept)
        return response

    async def connect(self, name: str, room_id: str, epoch: int, relay: FakeRelay, *, stage: bool = False) -> str:
        """The relay reports that the person's session is up, and lists it from now on."""
        kind = room_pb2.MEDIA_KIND_STAGE if stage else room_pb2.MEDIA_KIND_AUDIENCE
        session_id = new_id()
        relay.sessions.append(
            relay_pb.SessionInfo(
                session_id=session_id, room_id=room_id, user_id=person(name), epoch=epoch, term=1, kind=kind,
                connected=True,
            )
        )  # fmt: skip
        await self.report(name, room_id, epoch, relay, session_id=session_id, stage=stage)
        return session_id

    async def report(
        self,
        name: str,
        room_id: str,
        epoch: int,
        relay: FakeRelay,
        *,
        session_id: str,
        event: "sessions_pb2.SessionEvent.ValueType" = sessions_pb2.SESSION_EVENT_CONNECTED,
        stage: bool = False,
    ) -> None:
        """The relay reports one change of a session."""
        kind = room_pb2.MEDIA_KIND_STAGE if stage else room_pb2.MEDIA_KIND_AUDIENCE
        change = sessions_pb2.SessionChange(
            session_id=session_id, room_id=room_id, user_id=person(name), epoch=epoch, kind=kind, event=event
        )
        request = fleet_service_pb2.ReportSessionsRequest(
            relay_id=relay.relay_id, boot_id=relay.boot_id, changes=[change]
        )
        await self.stub.ReportSessions(request, metadata=self.as_service("media_relay"))

    async def stream(self, name: str, room_id: str, epoch: int, is_open: bool) -> None:
        """The gateway reports an event stream."""
        change = sessions_pb2.StreamChange(room_id=room_id, user_id=person(name), epoch=epoch, open=is_open)
        await self.stub.ReportStreams(
            fleet_service_pb2.ReportStreamsRequest(changes=[change]), metadata=self.as_service("gateway")
        )

    def listeners(self, room_id: str) -> int:
        """How many listen, now; snapshots say it as of the last pulse."""
        live = self.parts.rooms.get(room_id)
        assert live is not None
        return live.room.listener_count()

    async def snapshot(self, room_id: str) -> room_pb2.RoomSnapshot:
        request = fleet_service_pb2.GetSnapshotRequest(room_id=room_id)
        response = await self.stub.GetSnapshot(request, metadata=self.as_service("gateway"))
        snapshot: room_pb2.RoomSnapshot = response.snapshot
        return snapshot

    async def claims(self, permit: room_pb2.MediaPermit) -> Mapping[str, Any]:
        """The claims of a permit, verified as a relay verifies them."""

        async def key_set() -> str:
            response = await self.stub.GetKeySet(
                fleet_service_pb2.GetKeySetRequest(), metadata=self.as_service("media_relay")
            )
            return str(response.jwks_json)

        return await TokenVerifier(key_set, "room_directory", "majlis").verify(permit.permit, "permit+jwt")

    def of_type(self, event_type: type[Message], room_id: str = "") -> list[Any]:
        return [
            event
            for event in self.events
            if isinstance(event, event_type) and (not room_id or event.room_id == room_id)  # type: ignore[attr-defined]
        ]

    async def until(self, check: Callable[[], bool], seconds: float = 8.0) -> None:
        """Waits until `check()` holds; fails when it does not in time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not check():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError("it did not come to pass in time")
            await asyncio.sleep(0.02)


async def refused_with(call: Awaitable[Any]) -> DomainError:
    """The refusal of a call, with its reason and details."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return raise_for(error)
    raise AssertionError("the call was not refused")


async def refusal(call: Awaitable[Any]) -> str:
    """The reason with which a call is refused."""
    return (await refused_with(call)).reason
