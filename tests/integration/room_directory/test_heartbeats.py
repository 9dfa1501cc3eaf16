"""Whoever holds a relay's login on the bus may tell anything: the relays that are there are heard all the same."""

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb

from services.common.ids import new_id
from services.programme.introductions import MOST_STRANGERS
from services.room_directory.domain.placement import STALE_SECONDS
from tests.integration.room_directory.world import World

FORGED = 20_000


def forged(relay_id: str, address: str = "127.0.0.1:1") -> relay_pb.RelayLoad:
    load = relay_pb.RelayLoad(relay_id=relay_id, boot_id=new_id(), grpc_address=address)
    load.limits.usual = 1_000_000
    load.sent_at.GetCurrentTime()
    return load


def metric(world: World, why: str) -> float:
    return sum(
        sample.value
        for family in world.metrics.registry.collect()
        for sample in family.samples
        if sample.name in ("majlis_bus_dropped_total", "majlis_room_directory_relay_loads_dropped_total")
        and sample.labels["why"] == why
    )


async def test_real_relays_are_heard_while_twenty_thousand_loads_come_of_relays_that_are_not(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    relay = await world.relay()
    fleet = world.parts.app.fleet
    await world.until(lambda: relay.relay_id in fleet.relays)
    for number in range(FORGED):
        await relay.bus.publish(forged(f"madeup{number:010}"))
        if number % (FORGED // 10) == 0:
            relay.load["region"] = f"eu-{number}"
            await relay.bus.publish(relay.report())
            await world.until(lambda: fleet.relays[relay.relay_id].region == relay.load["region"])
    assert set(fleet.relays) == {relay.relay_id}
    assert metric(world, "unknown") > FORGED / 2
    assert "relay lost" not in capsys.readouterr().out


async def test_a_relay_that_was_never_seen_serves_also_after_many_that_are_made_up(world: World) -> None:
    relay = await world.relay()
    for number in range(MOST_STRANGERS * 10):
        await relay.bus.publish(forged(f"madeup{number:010}"))
    other = await world.relay("relay00002")
    await world.until(lambda: other.relay_id in world.parts.app.fleet.relays)


async def test_nobody_takes_a_relays_place_by_saying_to_be_another_start_of_it_elsewhere(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.until(lambda: relay.relay_id in world.parts.app.fleet.relays)
    known = world.parts.app.fleet.relays[relay.relay_id]
    elsewhere = await world.relay("relay00009")
    await relay.bus.publish(forged(relay.relay_id, elsewhere.report().grpc_address))
    await relay.bus.publish(forged(relay.relay_id, "nonsense"))
    await world.until(lambda: elsewhere.relay_id in world.parts.app.fleet.relays)
    now = world.parts.app.fleet.relays[relay.relay_id]
    assert (now.boot_id, now.grpc_address) == (known.boot_id, known.grpc_address)
    assert room_id in relay.parts


async def test_a_load_that_was_long_on_its_way_says_nothing(world: World) -> None:
    relay = await world.relay()
    await world.until(lambda: relay.relay_id in world.parts.app.fleet.relays)
    late = relay.report()
    late.region = "old"
    late.sent_at.FromMilliseconds(late.sent_at.ToMilliseconds() - int(1000 * (STALE_SECONDS + 1)))
    await relay.bus.publish(late)
    await world.until(lambda: metric(world, "stale") == 1)
    assert world.parts.app.fleet.relays[relay.relay_id].region == ""
