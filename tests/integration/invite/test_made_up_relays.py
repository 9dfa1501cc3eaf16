"""Doors follow the room of relays that answer for themselves, whatever is told of others on the bus."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.ids import new_id
from services.common.rpc.server import RpcServer
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.invite.bus import load_handler
from services.invite.clients import RelayClient
from services.invite.domain.headroom import Fleet, RelayReport
from services.programme.introductions import Introductions
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings

FORGED = 500


class Relay(media_relay_service_pb2_grpc.MediaRelayServiceServicer):
    """A relay that is there, and its server."""

    def __init__(self, directory: Path) -> None:
        self.load = relay_pb.RelayLoad(relay_id="relay00001", boot_id=new_id())
        self.load.limits.usual = 10_000
        self.asked = 0
        self.server = RpcServer("media_relay", test_settings(directory), Metrics("media_relay"))
        service = relay_pb.DESCRIPTOR.services_by_name["MediaRelayService"]
        self.server.add(self, media_relay_service_pb2_grpc.add_MediaRelayServiceServicer_to_server, service)

    async def start(self) -> None:
        await self.server.start()
        self.load.grpc_address = f"127.0.0.1:{self.server.port}"

    async def GetLoad(self, request: Any, context: Any) -> relay_pb.GetLoadResponse:
        self.asked += 1
        return relay_pb.GetLoadResponse(load=self.load)


class Hearing:
    """Invite's ear on the bus, as the service has it."""

    def __init__(self, fleet: Fleet, bus: Bus) -> None:
        self.fleet = fleet
        self.bus = bus
        """Of somebody with the login of a relay."""
        self.clock = SystemClock()

    def free(self) -> int:
        headroom = self.fleet.headroom(self.clock.monotonic())
        return 0 if headroom is None else headroom.free

    async def until_free(self, seats: int) -> None:
        await eventually(lambda: self.free() == seats)


@pytest.fixture
async def hearing(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Hearing]:
    settings = test_settings(tmp_path, nats_url=nats_server.url)
    ears, mouth = Bus(settings, Metrics("invite")), Bus(settings, Metrics("media_relay"))
    fleet, clock = Fleet(), SystemClock()

    async def take_in(report: RelayReport) -> None:
        fleet.hear(report, clock.monotonic())

    async with Background() as background:
        introductions = Introductions[RelayReport](
            background,
            knows=fleet.knows,
            recognises=fleet.recognises,
            ask=RelayClient(settings).ask,
            take_in=take_in,
            monotonic=clock.monotonic,
            gave_way=lambda _: None,
        )
        handler = load_handler(fleet, introductions, clock)
        await ears.subscribe_newest(relay_pb.RelayLoad, handler, of="relay_id", is_known=fleet.knows)
        await ears.connect()
        await mouth.connect()
        yield Hearing(fleet, mouth)
    await ears.close()
    await mouth.close()


def forged(number: int, address: str) -> relay_pb.RelayLoad:
    load = relay_pb.RelayLoad(relay_id=f"madeup{number:010}", boot_id=new_id(), grpc_address=address)
    load.limits.usual = 1_000_000
    return load


async def test_loads_of_relays_that_are_not_there_make_no_room_and_hide_none(hearing: Hearing, tmp_path: Path) -> None:
    relay = Relay(tmp_path)  # type: ignore[abstract]
    await relay.start()
    for number in range(FORGED):
        await hearing.bus.publish(forged(number, relay.load.grpc_address if number % 2 else "127.0.0.1:1"))
    await eventually(lambda: bool(relay.asked))
    assert hearing.free() == 0, "none of them answers to its name"
    # As a relay does, it tells again and again; while many strangers are told of, it may be heard a second later.
    async with Background() as beats:
        beats.every("beat", 0.1, lambda: hearing.bus.publish(relay.load))
        await hearing.until_free(180)
    for number in range(FORGED):
        await hearing.bus.publish(forged(number, "127.0.0.1:1"))
    relay.load.promised.usual = 9_000
    await hearing.bus.publish(relay.load)
    await hearing.until_free(0)
    await relay.server.drain()
