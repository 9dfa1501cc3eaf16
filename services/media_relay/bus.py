"""Heartbeats on the bus: this relay's load out, other relays' and operators' orders in."""

import asyncio
from collections.abc import Awaitable, Callable

from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad
from majlis.room_directory.v1.ladder_pb2 import LadderOrdersStand

from services.common.bus.client import Bus
from services.media_relay.domain.events import Event, SessionOpened
from services.media_relay.domain.ladder import LadderOrders
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.messages import ladder_orders

HEARTBEAT_SECONDS = 1.0
FIRST_HEARTBEAT_SECONDS = 0.2
"""At first more often: the others start beside this one, and nobody enters a room before they have heard one."""
_SLOWER = 1.15
SOONEST_SECONDS = 0.1
REPORT_SECONDS = 0.3
"""How long a heartbeat waits for the directory to hear of the sessions that it counts."""


class Heartbeat:
    """Publishes the load each second, and soon after something others should know at once."""

    def __init__(
        self,
        bus: Bus,
        meter: LoadMeter,
        heard: Callable[[RelayLoad], None],
        report: Callable[[float], Awaitable[None]],
        orders: LadderOrders,
    ) -> None:
        """`report` sends what waits to be told of sessions, within so many seconds."""
        self._bus = bus
        self._report = report
        self._meter = meter
        self._hear = heard
        self._orders = orders
        self._urgent = asyncio.Event()

    def happened(self, event: Event, _now: float) -> None:
        """The first session of a room opened: other relays should soon know."""
        if isinstance(event, SessionOpened) and event.first_of_room:
            self._urgent.set()

    async def start(self) -> None:
        """Begins to listen to other relays, and to what operators order."""
        await self._bus.subscribe(RelayLoad, self._heard, queue_limit=1024)
        await self._bus.subscribe(LadderOrdersStand, self._ordered, queue_limit=16)

    async def run(self) -> None:
        """Publishes for ever."""
        pause = FIRST_HEARTBEAT_SECONDS
        while True:
            await self.beat()
            await asyncio.sleep(SOONEST_SECONDS)
            try:
                async with asyncio.timeout(pause - SOONEST_SECONDS):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            self._urgent.clear()
            pause = min(HEARTBEAT_SECONDS, pause * _SLOWER)

    async def beat(self) -> None:
        """Publishes the load now."""
        await self._report(REPORT_SECONDS)
        self._meter.measure()
        await self._bus.publish(self._meter.load())

    async def _heard(self, load: RelayLoad) -> None:
        self._hear(load)

    async def _ordered(self, message: LadderOrdersStand) -> None:
        self._orders.hear(*ladder_orders(message))
