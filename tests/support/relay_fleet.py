"""Real relays in this process, with a directory that signs permits and notes what they report."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc as relay_grpc
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from majlis.room_directory.v1.sessions_pb2 import SessionCause, SessionChange, SessionEvent

from services.common.clock import SystemClock
from services.common.rpc.client import ServiceChannel
from services.common.rpc.server import RpcServer
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from services.common.trust.key_ring import KeyRing
from services.media_relay.build import RelayService
from services.media_relay.settings import Settings
from services.programme.channels import FLOOR, Channel
from services.programme.messages import channel_message
from tests.support.rtc_client import Client, Tone, client

ROOM, USER = "room000001", "user000001"
SECRET = "a secret for tests only"


class FakeDirectory(fleet_service_pb2_grpc.FleetServiceServicer):
    """Publishes the keys of its permits and keeps the reports."""

    def __init__(self) -> None:
        self.keys = KeyRing.create(SystemClock().now())
        self.reports: list[SessionChange] = []
        self.away = False
        """Whether calls fail as if nobody were there."""
        self._permits = count(1)

    async def GetKeySet(
        self, request: fleet_service_pb2.GetKeySetRequest, context: Any
    ) -> fleet_service_pb2.GetKeySetResponse:
        await self._answer(context)
        return fleet_service_pb2.GetKeySetResponse(jwks_json=self.keys.jwks_json())

    async def ReportSessions(
        self, request: fleet_service_pb2.ReportSessionsRequest, context: Any
    ) -> fleet_service_pb2.ReportSessionsResponse:
        await self._answer(context)
        self.reports.extend(request.changes)
        return fleet_service_pb2.ReportSessionsResponse()

    async def _answer(self, context: Any) -> None:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "nobody is there")

    def told(self, session_id: str) -> list[str]:
        """What was reported of a session, in order: opened, connected, idle, ended: cause."""
        words = []
        for change in self.reports:
            if change.session_id == session_id:
                name = SessionEvent.Name(change.event).removeprefix("SESSION_EVENT_").lower()
                cause = SessionCause.Name(change.cause).removeprefix("SESSION_CAUSE_").lower()
                words.append(f"{name}: {cause}" if change.cause else name)
        return words

    def permit(self, at: RelayService, kind: str = "audience", /, **changes: Any) -> str:
        """A signed permit for a session on this relay."""
        names = {"relay": at.relay.relay_id, "boot": at.relay.boot_id, "home": at.relay.relay_id}
        return self.permit_for(kind, **{**names, **changes})

    def permit_for(self, kind: str, **claims: Any) -> str:
        """The same for a relay that is only known by its names: relay, boot, home."""
        now = int(SystemClock().now().timestamp())
        stage = kind == "stage"
        made: dict[str, Any] = {
            "iss": "room_directory",
            "aud": "majlis",
            "iat": now,
            "exp": now + 15,
            "jti": secrets.token_hex(8),
            "room": ROOM,
            "term": 1,
            "sub": USER,
            "epoch": 1,
            "kind": kind,
            "role": "speaker" if stage else "listener",
            "member": next(self._permits) if stage else 0,
            "muted": False,
            "channel": FLOOR,
            "channel_kind": "floor",
            "booth": "",
        }
        return self.keys.sign({**made, **claims}, "permit+jwt")


def room_part(
    home_relay_id: str, *booths: room_parts_pb2.BoothPart, live: bool = True, stage_closed: bool = False
) -> relay_pb.RoomPart:
    """A relay's part in the room, which has its floor and the languages of these booths."""
    channels = [channel_message(Channel(ROOM, name)) for name in (FLOOR, *(booth.language for booth in booths))]
    return relay_pb.RoomPart(
        room_id=ROOM,
        term=1,
        home_relay_id=home_relay_id,
        live=live,
        stage_closed=stage_closed,
        channels=channels,
        booths=booths,
    )


@dataclass
class Seated:
    """A client with its media session."""

    client: Client
    session_id: str
    permit: str
    etag: str


@dataclass
class Fleet:
    """A directory, relays, and clients on them."""

    folder: Path
    nats_url: str
    directory: FakeDirectory
    directory_server: RpcServer
    relays: list[RelayService] = field(default_factory=list)
    stubs: dict[str, "relay_grpc.MediaRelayServiceAsyncStub"] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def add_relay(self, **changes: Any) -> RelayService:
        """Starts one more relay."""
        settings = Settings(
            **{
                "relay_id": f"relay{len(self.relays):05d}",
                "service_secret_file": _secret_file(self.folder),
                "room_directory_address": f"127.0.0.1:{self.directory_server.port}",
                "nats_url": self.nats_url,
                "packets_per_second_budget": 100_000,
                "drain_seconds": 0.2,
                "shutdown_grace_seconds": 0.2,
                **changes,
            }
        )
        relay = await RelayService.open(settings, Metrics("media_relay"))
        self.stack.push_async_callback(relay.close)
        await relay.start()
        self.relays.append(relay)
        for caller in ("gateway", "room_directory"):
            channel = ServiceChannel(caller, f"127.0.0.1:{relay.server.port}", settings)
            self.stack.push_async_callback(channel.close)
            self.stubs[f"{caller}/{relay.relay.relay_id}"] = relay_grpc.MediaRelayServiceStub(channel.channel)
        return relay

    def gateway(self, relay: RelayService) -> "relay_grpc.MediaRelayServiceAsyncStub":
        """The relay as the gateway calls it."""
        return self.stubs[f"gateway/{relay.relay.relay_id}"]

    def owner(self, relay: RelayService) -> "relay_grpc.MediaRelayServiceAsyncStub":
        """The relay as the directory calls it."""
        return self.stubs[f"room_directory/{relay.relay.relay_id}"]

    async def listen(self, relay: RelayService, *, address: str = "127.0.0.1", **changes: Any) -> Seated:
        """A listener, connected from a loopback address."""
        made = await self.stack.enter_async_context(client(address=address))
        return await self._seat(made, relay, "audience", changes)

    async def speak(self, relay: RelayService, hertz: float, slots: int = 4, **changes: Any) -> Seated:
        """A speaker of one tone, connected."""
        return await self.say(relay, Tone(hertz), slots, **changes)

    async def say(self, relay: RelayService, tone: Tone, slots: int = 4, **changes: Any) -> Seated:
        """The same with a tone that may change."""
        made = await self.stack.enter_async_context(client(tone, slots))
        return await self._seat(made, relay, "stage", changes)

    async def change(self, relay: RelayService, action: int, epoch: int, user: str = USER) -> None:
        """One change of a seat, as the directory orders it."""
        change = relay_pb.SeatChange(room_id=ROOM, user_id=user, term=1, epoch=epoch, action=action)  # type: ignore[arg-type]
        await self.owner(relay).ApplySeatChanges(relay_pb.ApplySeatChangesRequest(changes=[change]))

    async def _seat(self, made: Client, relay: RelayService, kind: str, changes: dict[str, Any]) -> Seated:
        permit = self.directory.permit(relay, kind, **changes)
        request = relay_pb.CreateSessionRequest(permit=permit, offer_sdp=await made.offer())
        opened = await self.gateway(relay).CreateSession(request)
        await made.accept(opened.answer_sdp)
        return Seated(made, opened.session_id, permit, opened.etag)


@asynccontextmanager
async def fleet(folder: Path, nats_url: str) -> AsyncIterator[Fleet]:
    """A directory without relays yet."""
    directory = FakeDirectory()  # type: ignore[abstract]  # what it does not answer, nobody asks here
    settings = ServiceSettings(service_secret_file=_secret_file(folder), shutdown_grace_seconds=0.2)
    server = RpcServer("room_directory", settings, Metrics("room_directory"), verifier=_no_tokens())
    service = fleet_service_pb2.DESCRIPTOR.services_by_name["FleetService"]
    server.add(directory, fleet_service_pb2_grpc.add_FleetServiceServicer_to_server, service)
    await server.start()
    made = Fleet(folder, nats_url, directory, server)
    try:
        async with made.stack:
            yield made
    finally:
        await server.drain()


def _secret_file(folder: Path) -> Path:
    path = folder / "service-secret"
    path.write_text(SECRET)
    return path


def _no_tokens() -> Any:
    from tests.support.rpc_harness import TokenMint

    return TokenMint().verifier()
