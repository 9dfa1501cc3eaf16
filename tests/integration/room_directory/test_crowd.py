"""A crowd at the public origin: its seats fill to the relay's budget, and what is kept back goes to whom it is for."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import fleet_service_pb2

from services.common.clock import SystemClock
from services.common.errors import DomainError
from services.common.rpc.client import ServiceChannel
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.gateway.call.clients import DirectoryClient
from services.gateway.call.identity import Identities
from services.gateway.domain.relays import Relay, RelayTable
from services.gateway.media.permits import PermitSeal
from services.gateway.media.sessions import AUDIENCE, STAGE, MediaSessions
from services.media_relay.bus import Heartbeat
from services.media_relay.domain.events import Cause, Event
from services.media_relay.domain.ladder import LadderOrders
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.fleet.reports import SessionReports
from services.media_relay.rpc.media_relay import MediaRelayRpc, UseCases
from services.programme.work import Costs, Limits, Tariff, Work
from tests.integration.room_directory.world import FakeRelay, World, refusal
from tests.support.fake_auth import person
from tests.support.relay_fakes import BOOT, RELAY, RelayBench, offer
from tests.support.rpc_harness import test_settings

BUDGET = 5000
LISTENING = offer("chromium_listener")


class Claims(dict[str, Mapping[str, Any]]):
    """Permits read as they are: that relays check signatures is held elsewhere."""

    def __missing__(self, permit: str) -> Mapping[str, Any]:
        part = permit.split(".")[1]
        claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return claims


class RuledRelay(FakeRelay):
    """A relay without packets whose admission, loads and reports are the real ones."""

    def rule(self, world: World) -> None:
        self.boot_id = BOOT
        self.bench = RelayBench(budget=BUDGET)
        self.bench.claims = Claims()
        self.meter = LoadMeter(self.bench.relay, dict, lambda: self._address, SystemClock())
        bench = self.bench
        app = UseCases(
            opening=bench.opening,
            resuming=bench.resuming,
            changing=bench.changing,
            ending=bench.ending,
            orders=bench.orders,
            speaking=bench.speaking,
        )
        self.rpc = MediaRelayRpc(bench.relay, app, self.meter, lambda _: None)
        self.world = world
        self.reports = SessionReports(self, RELAY, BOOT, Metrics("media_relay"))  # type: ignore[arg-type]
        note = self.bench.recorder.happened

        def happened(event: Event, now: float) -> None:
            note(event, now)
            self.reports.happened(event, now)

        self.bench.recorder.happened = happened  # type: ignore[method-assign]

    async def ReportSessions(self, request: fleet_service_pb2.ReportSessionsRequest, timeout: float) -> Any:
        metadata = self.world.as_service("media_relay")
        return await self.world.stub.ReportSessions(request, timeout=timeout, metadata=metadata)

    async def CreateSession(self, request: relay_pb.CreateSessionRequest, timeout: float) -> Any:  # type: ignore[override]
        return await self.rpc.CreateSession(request, None)  # type: ignore[arg-type]

    async def ApplySeatChanges(self, request: relay_pb.ApplySeatChangesRequest, context: Any) -> Any:
        return await self.rpc.ApplySeatChanges(request, context)

    async def ConfigureRooms(self, request: relay_pb.ConfigureRoomsRequest, context: Any) -> Any:
        return await self.rpc.ConfigureRooms(request, context)

    def report(self) -> relay_pb.RelayLoad:
        return self.meter.load()

    def let_connect(self) -> None:
        for session in self.bench.relay.sessions:
            if not session.connected:
                self.bench.connecting.on_nominated(session.handle)
                self.bench.handshakes.succeed(session.handle)

    def listeners(self) -> int:
        return sum(session.kind == "audience" for session in self.bench.relay.sessions)


class Hall:
    """The directory, a ruled relay, and the gateway's way from a token to a session."""

    def __init__(self, world: World, relay: RuledRelay, channel: ServiceChannel) -> None:
        self.world, self.relay = world, relay
        verifier = world.mint.verifier()

        async def exchange(token: str, network: str) -> tuple[str, float]:
            raise AssertionError("nobody has a personal token here")

        table = RelayTable()
        table.note(Relay(RELAY, BOOT, "relay"))
        identities = Identities(verifier, exchange, SystemClock())
        directory = DirectoryClient(channel)
        self.sessions = MediaSessions(identities, directory, self, table, PermitSeal("s" * 32))  # type: ignore[arg-type]

    async def at(self, address: str) -> RuledRelay:
        return self.relay

    async def knock(self, name: str, room_id: str, kind: Any = AUDIENCE, sdp: str = LISTENING) -> str:
        """How a POST to /whep or /whip ends: OK, or the reason of the refusal."""
        try:
            await self.sessions.open(room_id, kind, self.world.mint.token(person(name)), "192.0.2.0/24", sdp)
        except DomainError as error:
            return error.reason
        return "OK"

    async def knock_as_clients_do(self, name: str, room_id: str, kind: Any = AUDIENCE, sdp: str = LISTENING) -> str:
        """The same for a client that comes again when it is told to.

        Between a heartbeat and the news of the sessions that it counts, those are counted twice.
        """
        for _ in range(20):
            outcome = await self.knock(name, room_id, kind, sdp)
            if outcome != "NO_RELAY":
                break
            await asyncio.sleep(0.1)
        return outcome


@pytest.fixture
async def hall(world: World) -> AsyncIterator[Hall]:
    relay = RuledRelay(world.tmp_path, world.nats_url, RELAY)  # type: ignore[abstract]
    relay.rule(world)
    await relay.start()
    await world.until(lambda: RELAY in world.parts.app.fleet.relays)
    heartbeat = Heartbeat(relay.bus, relay.meter, lambda _: None, relay.reports.hurry, LadderOrders(RELAY))
    channel = ServiceChannel("gateway", f"127.0.0.1:{world.port}", test_settings(world.tmp_path))
    async with Background() as background:
        background.spawn("reports", relay.reports.run)
        background.spawn("heartbeat", heartbeat.run)
        yield Hall(world, relay, channel)
    await channel.close()
    await relay.stop()


async def test_newcomers_who_knock_again_and_again_leave_stage_and_returning_listeners_their_places(hall: Hall) -> None:
    room_id = (await hall.world.create("lina")).room_id
    assert await hall.knock("omar", room_id) == "OK"
    hall.relay.let_connect()
    omar = next(iter(hall.relay.bench.relay.sessions))
    await hall.world.until(lambda: hall.world.listeners(room_id) == 1)
    await asyncio.sleep(0.5)
    hall.relay.bench.ending.on_gone(omar.handle, Cause.EXPIRED)
    for _ in range(3):
        await asyncio.gather(*(hall.knock(f"guest{number:03d}x", room_id) for number in range(60)))
    assert await hall.knock_as_clients_do("lina", room_id, STAGE, offer("chromium_stage")) == "OK"
    assert await hall.knock_as_clients_do("omar", room_id) == "OK"


async def test_a_crowd_fills_the_seats_to_the_budget(hall: Hall) -> None:
    room_id = (await hall.world.create("lina")).room_id
    assert await hall.knock("lina", room_id, STAGE, offer("chromium_stage")) == "OK"
    hall.relay.let_connect()
    stage = hall.relay.bench.relay.capacity.promised.usual
    places = (BUDGET * 9 // 10 - stage) // 50

    async def come(number: int) -> str:
        for _ in range(10):
            said = await hall.knock(f"guest{number:03d}x", room_id)
            if said == "OK":
                hall.relay.let_connect()
                return said
            await asyncio.sleep(0.3)
        return said

    said = await asyncio.gather(*(come(number) for number in range(110)))
    assert said.count("OK") == places == hall.relay.listeners()
    assert set(said) <= {"OK", "NO_RELAY", "RELAY_FULL"}


async def test_whoever_finds_no_room_holds_no_seat_and_reserves_nothing(hall: Hall) -> None:
    room_id = (await hall.world.create("lina")).room_id
    relay = hall.world.parts.app.fleet.relays[RELAY]

    def reserved() -> Work:
        return relay.reserved.total(asyncio.get_running_loop().time(), relay.carried)

    for_lina = reserved()
    for number in range(12):
        assert await hall.knock(f"guest{number:03d}x", room_id, sdp="v=0\r\nnonsense\r\n") == "OFFER_INVALID"
    await hall.world.until(lambda: reserved() == for_lina, seconds=2.0)
    hall.relay.bench.relay.capacity.limits = Limits(50, 50)
    await hall.world.until(lambda: hall.world.parts.app.fleet.relays[RELAY].limits.usual == 50)
    before = hall.world.listeners(room_id)
    assert await hall.knock("late", room_id) == "NO_RELAY"
    assert hall.world.listeners(room_id) == before


async def test_small_rooms_are_begun_as_far_as_their_mixers_go_and_whoever_has_one_can_fill_it(hall: Hall) -> None:
    capacity = hall.relay.bench.relay.capacity
    costs = Costs(packet=2.0, microphone=2.0, decode=10.0, encode_least=60.0, encode_best=200.0, passed=8.0, join=1.0)
    capacity.measure(Limits(usual=40_000, sending=40_000, programme=22_500, together=60_000), Tariff(costs))
    known = hall.world.parts.app.fleet
    await hall.world.until(lambda: known.relays[RELAY].limits.programme == 22_500)
    rooms: list[str] = []
    for number in range(10):
        rooms.append((await hall.world.create(f"lina{number}")).room_id)
        assert await hall.knock(f"lina{number}", rooms[-1], STAGE, offer("chromium_stage")) == "OK"
        hall.relay.let_connect()
        assert capacity.limits.fullness(capacity.promised) <= 1.0
    assert await refusal(hall.world.create("sara")) == "NO_RELAY"
    for number, room_id in enumerate(rooms):
        said = await asyncio.gather(*(hall.knock(f"guest{number}x{guest}", room_id) for guest in range(3)))
        assert set(said) == {"OK"}, "a room that was begun has its mixer"
        hall.relay.let_connect()
    assert hall.relay.listeners() == 30
    assert capacity.limits.fullness(capacity.promised) <= 1.0
