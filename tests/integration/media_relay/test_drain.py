"""A relay that is told to stop: nobody new, people asked to move, who stays let go a few at a time."""

import asyncio
import itertools
import time
from collections.abc import Callable

from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad
from majlis.room_directory.v1.sessions_pb2 import SESSION_CAUSE_DRAINING

from services.common.bus.client import Bus
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from services.media_relay.build import RelayService
from tests.support.nats_server import NatsServer
from tests.support.relay_fakes import offer
from tests.support.relay_fleet import Fleet

LISTENERS = 12


async def until(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen within ten seconds")


async def two_relays(fleet: Fleet, drain_seconds: float) -> tuple[RelayService, RelayService]:
    first = await fleet.add_relay(drain_seconds=drain_seconds)
    second = await fleet.add_relay(drain_seconds=drain_seconds)
    await until(lambda: first.others.could_take(time.monotonic()) and second.others.could_take(time.monotonic()))
    return first, second


async def seat(fleet: Fleet, relay: RelayService, name: str, kind: str = "audience") -> str:
    permit = fleet.directory.permit(relay, kind, sub=name)
    file = "pion_listener" if kind == "audience" else "chromium_stage"
    request = pb.CreateSessionRequest(permit=permit, offer_sdp=offer(file))
    return str((await fleet.gateway(relay).CreateSession(request)).session_id)


async def test_those_who_do_not_move_are_let_go_a_few_at_a_time_and_the_stage_last(fleet: Fleet) -> None:
    relay, _ = await two_relays(fleet, 2.0)
    speaker = await seat(fleet, relay, "speaker0001", "stage")
    listeners = [await seat(fleet, relay, f"listener{number:04d}") for number in range(LISTENERS)]
    draining, counts = asyncio.ensure_future(relay.drain()), [len(relay.relay.sessions)]
    while not draining.done():
        await asyncio.sleep(0.02)
        if len(relay.relay.sessions) != counts[-1]:
            counts.append(len(relay.relay.sessions))
    await asyncio.sleep(0.3)
    assert counts[0] == LISTENERS + 1
    assert counts[-1] == 0
    assert max(before - after for before, after in itertools.pairwise(counts)) <= 5
    ended = [change.session_id for change in fleet.directory.reports if change.cause == SESSION_CAUSE_DRAINING]
    assert ended[-1] == speaker
    assert set(ended[:-1]) == set(listeners)


async def test_a_draining_relay_says_how_long_its_people_have_and_is_no_longer_ready(
    fleet: Fleet, nats_server: NatsServer
) -> None:
    settings = ServiceSettings(service_secret_file=fleet.folder / "service-secret", nats_url=nats_server.url)
    bus, loads = Bus(settings, Metrics("listening")), []

    async def heard(load: RelayLoad) -> None:
        loads.append(load)

    relay, _ = await two_relays(fleet, 60.0)
    await bus.connect()
    await bus.subscribe(RelayLoad, heard)
    await seat(fleet, relay, "listener0001")
    assert relay.metrics.not_ready() == []
    draining = asyncio.ensure_future(relay.drain())
    await until(lambda: any(load.draining for load in loads))
    assert relay.metrics.not_ready() == ["serving"]
    assert 25_000 < next(load for load in loads if load.draining).move_within_milliseconds <= 30_000
    draining.cancel()
    await bus.close()


async def test_a_relay_stops_as_soon_as_everybody_has_moved(fleet: Fleet) -> None:
    relay, _ = await two_relays(fleet, 600.0)
    permit = fleet.directory.permit(relay)
    opened = await fleet.gateway(relay).CreateSession(
        pb.CreateSessionRequest(permit=permit, offer_sdp=offer("pion_listener"))
    )
    draining = asyncio.ensure_future(relay.drain())
    await asyncio.sleep(0.3)
    assert not draining.done()
    await fleet.gateway(relay).DeleteSession(pb.DeleteSessionRequest(session_id=opened.session_id, permit=permit))
    async with asyncio.timeout(5):
        await draining


async def test_the_only_relay_does_not_wait_for_people_who_can_go_nowhere(fleet: Fleet) -> None:
    relay = await fleet.add_relay(drain_seconds=600.0)
    session_id = await seat(fleet, relay, "listener0001")
    async with asyncio.timeout(5):
        await relay.drain()
    await until(lambda: fleet.directory.told(session_id)[-1:] == ["ended: draining"])


async def test_two_relays_told_to_stop_together_do_not_wait_for_each_other(fleet: Fleet) -> None:
    first, second = await two_relays(fleet, 600.0)
    await seat(fleet, first, "listener0001")
    await seat(fleet, second, "listener0002")
    async with asyncio.timeout(10):
        await asyncio.gather(first.drain(), second.drain())
