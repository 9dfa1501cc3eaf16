"""A relay in trouble walks up its ladder and down again, and who is inside hears every frame of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad
from majlis.room_directory.v1.ladder_pb2 import (
    LADDER_CAUSE_MEASURED,
    LADDER_CAUSE_ORDER,
    LadderOrder,
    LadderOrdersStand,
)

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.errors import DomainError
from services.common.rpc.errors import raise_for
from services.common.sight.metrics import Metrics
from services.media_relay.build import RelayService
from services.media_relay.domain.ladder import DOWN_SECONDS, UP_SECONDS, LadderOrders, Shape, Step
from services.media_relay.fleet.ladder import Shedding
from services.media_relay.fleet.load import LoadMeter
from services.programme.work import Limits
from tests.support.fake_clock import FakeClock
from tests.support.hearing import hear, until_heard
from tests.support.relay_fleet import Fleet, Seated
from tests.support.rpc_harness import test_settings
from tests.support.voices import power_at

OTHER, THIRD = "user000002", "user000003"


class Climb:
    """The ladder of a real relay whose own stays where it is; by a clock that leaps, and as late as wanted."""

    def __init__(self, relay: RelayService) -> None:
        self.lag = 0.0
        self.clock = FakeClock()
        self.meter = LoadMeter(relay.relay, relay.core.counters, lambda: "", SystemClock())
        self.shedding = Shedding(
            relay.relay.capacity,
            self.meter,
            self,
            relay.shedding.apply,
            Shape(20, 32_000),
            setting="auto",
            orders=LadderOrders(relay.relay.relay_id),
            metrics=Metrics("media_relay"),
            clock=self.clock,
        )
        self.relay = relay

    async def tick(self) -> None:
        """As its loop's lag."""

    def take(self) -> float:
        return self.lag

    async def look(self, seconds: float) -> Step:
        """So many seconds as the last one was."""
        self.meter.measure()
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            await self.shedding.look()
        return Step(self.relay.relay.capacity.ladder_step)


async def lost(listener: Seated) -> int:
    """Packets that never came, by their numbers."""
    stats = await listener.client.pc.getStats()
    return sum(each.packetsLost for each in stats.values() if each.type == "inbound-rtp")


async def refused(opening: object) -> DomainError:
    try:
        await opening  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return raise_for(error)
    except DomainError as error:
        return error
    raise AssertionError("let in")


async def test_an_overloaded_relay_walks_up_step_by_step_and_down_again_and_nobody_inside_loses_a_frame(
    fleet: Fleet,
) -> None:
    relay = await fleet.add_relay(ladder="none")
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    climb, steps = Climb(relay), [Step.NONE]
    await climb.look(1)
    climb.lag = 1.0
    while steps[-1] is not Step.DOORS_PAUSED:
        await climb.look(1)
        steps.append(await climb.look(UP_SECONDS))
        assert power_at(await hear(listener.client.ear, 0.8), 440.0) > 0.9, steps
    assert [step for step in steps if step is not Step.BITS_16000] == [
        step for step in Step if step is not Step.BITS_16000
    ]
    assert (await refused(fleet.listen(relay, sub=THIRD))).reason == "RELAY_FULL"
    back = await fleet.listen(relay, sub="user000004", back=True)
    await until_heard(back.client.ear, 440.0)
    second = await fleet.speak(relay, 800.0, slots=0, sub="user000005")
    await asyncio.sleep(1.0)
    assert power_at(await hear(back.client.ear, 1.0), 800.0) > 0.2, "beside the first"
    await second.client.close()
    climb.lag = 0.0
    await climb.look(1)
    down = [await climb.look(DOWN_SECONDS) for _ in steps[1:]]
    assert down == steps[-2::-1]
    await until_heard(listener.client.ear, 440.0)
    assert await lost(listener) == 0
    assert await lost(back) == 0
    assert fleet.directory.told(listener.session_id) == ["opened", "connected"], "the same session all along"
    newcomer = await fleet.listen(relay, sub=THIRD)
    await until_heard(newcomer.client.ear, 440.0)


async def test_a_relay_spares_no_more_than_its_own_packets_ask_for(fleet: Fleet) -> None:
    relay = await fleet.add_relay(ladder="none")
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    for user in (THIRD, "user000004"):
        await until_heard((await fleet.listen(relay, sub=user)).client.ear, 440.0)
    climb = Climb(relay)

    async def look(seconds: float) -> Step:
        await asyncio.sleep(1.2)
        # Two listeners are a hundred packets a second, and fifty at 40 ms; the machine is measured beside them.
        relay.relay.capacity.measure(Limits(100, 100), relay.relay.capacity.tariff)
        return await climb.look(seconds)

    for _ in range(5):
        await look(UP_SECONDS + 1)
    assert relay.relay.capacity.ladder_step == Step.PACKETS_40
    assert await look(2 * DOWN_SECONDS) == Step.PACKETS_40, "one step down it would be in trouble again"


@pytest.fixture
async def directory_bus(fleet: Fleet) -> AsyncIterator[Bus]:
    bus = Bus(test_settings(fleet.folder, nats_url=fleet.nats_url), Metrics("room_directory"))
    await bus.connect()
    yield bus
    await bus.close()


def orders(changed: float, *steps: tuple[str, int]) -> LadderOrdersStand:
    now = SystemClock().now()
    changed_at, until = Timestamp(), Timestamp()
    changed_at.FromDatetime(now + timedelta(seconds=changed))
    until.FromDatetime(now + timedelta(hours=1))
    stand = [LadderOrder(relay_id=relay, step=step, until=until) for relay, step in steps]
    return LadderOrdersStand(audience="everyrelay", changed_at=changed_at, orders=stand)


async def test_a_relay_does_what_operators_order_on_the_bus_and_is_let_go_by_them(
    fleet: Fleet, directory_bus: Bus
) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    loads: asyncio.Queue[RelayLoad] = asyncio.Queue()

    async def heard(load: RelayLoad) -> None:
        loads.put_nowait(load)

    await directory_bus.subscribe(RelayLoad, heard)

    async def until_told(step: int, cause: int) -> None:
        async with asyncio.timeout(8.0):
            load = await loads.get()
            while (load.ladder_step, load.ladder_cause) != (step, cause):
                load = await loads.get()

    await directory_bus.publish(orders(0.0, ("", 1), (relay.relay.relay_id, 3)))
    await until_told(3, LADDER_CAUSE_ORDER)
    before = relay.core.counters()["listener_packets_out"]
    assert power_at(await hear(listener.client.ear, 2.0), 440.0) > 0.9
    assert relay.core.counters()["listener_packets_out"] - before < 50, "a third of a hundred"
    await directory_bus.publish(orders(1.0))
    await until_told(3, LADDER_CAUSE_MEASURED)
    await directory_bus.publish(orders(0.5, ("", 7)))
    await directory_bus.publish(orders(2.0, ("", 0)))
    await until_told(0, LADDER_CAUSE_ORDER)
    assert await lost(listener) == 0
