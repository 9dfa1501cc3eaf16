"""Carries orders to relays: in order, acknowledged, retried; the newest order for a seat replaces older ones."""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.tasks import Background
from services.room_directory.app.ports import RelayClient, RoomPart
from services.room_directory.domain.events import SeatAction, SeatOrder

_BATCH = 500
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_MOST_WAITING = 50_000
_ACK_SECONDS = 2.0

_Key = tuple[str, str, SeatAction, str]
"""Room, person, what to do, and the sign-in that ended where it is about one."""

_log = get_logger("dispatch")


class LatencySink(Protocol):
    """Where the time from an order to its acknowledgement goes."""

    def observe(self, amount: float) -> None:
        """Notes seconds."""
        ...


class RelayQueue:
    """What one relay has not acknowledged yet.

    Waiting orders are keyed by seat and action, so that a relay that is away for long costs one entry a seat and
    action; beyond a bound the oldest gives way, which is logged: the relay's own floors and the seats it lists when it
    is back make up for it.
    """

    def __init__(self, relay_id: str, client: RelayClient, clock: Clock, latency: LatencySink) -> None:
        self.relay_id = relay_id
        self.client = client
        self._clock = clock
        self._latency = latency
        self._parts: OrderedDict[str, RoomPart] = OrderedDict()
        self._orders: OrderedDict[_Key, tuple[SeatOrder, float]] = OrderedDict()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failing = False
        """Whether the last try to deliver failed: nobody waits for a relay that is away."""
        self._waiting: dict[_Key | str, list[asyncio.Future[None]]] = {}
        """Who waits until an order is acknowledged, or a room's part."""

    def configure(self, part: RoomPart) -> None:
        """Queues a part; the newest one of a room counts."""
        self._parts[part.room_id] = part
        self._parts.move_to_end(part.room_id)
        self._rouse()

    def order(self, orders: Iterable[SeatOrder]) -> None:
        now = self._clock.monotonic()
        for order in orders:
            key = _key(order)
            self._orders[key] = (order, now)
            self._orders.move_to_end(key)
        while len(self._orders) > _MOST_WAITING:
            key, _ = self._orders.popitem(last=False)
            self._release((key,))
            _log.error("an order to a relay gave way", relay_id=self.relay_id, room_id=key[0], action=key[2].value)
        self._rouse()

    def take_over(self, older: "RelayQueue") -> None:
        """Queues what an older queue of the same relay did not deliver."""
        self._parts.update(older._parts)
        self._orders.update(older._orders)
        older._release(list(older._waiting))
        if self._parts or self._orders:
            self._rouse()

    def clear_orders(self) -> None:
        """Forgets orders: the relay has started anew and carries nothing they could be about."""
        self._orders.clear()
        self._release(list(self._waiting))

    async def settled(self, seconds: float) -> bool:
        """Waits until everything is acknowledged; False when that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def acknowledged(self, orders: Iterable[SeatOrder], room_id: str) -> None:
        """Waits until these and the room's part, or newer ones, are acknowledged; not for a relay that is away."""
        keys: list[_Key | str] = [key for key in map(_key, orders) if key in self._orders]
        keys += [room_id] if room_id in self._parts else []
        if self._failing or not keys:
            return
        futures: list[asyncio.Future[None]] = []
        for key in keys:
            futures.append(asyncio.get_running_loop().create_future())
            self._waiting.setdefault(key, []).append(futures[-1])
        await asyncio.gather(*futures)

    def _release(self, keys: Iterable[_Key | str]) -> None:
        for key in keys:
            for future in self._waiting.pop(key, ()):
                if not future.done():
                    future.set_result(None)

    async def run(self) -> None:
        """Delivers for ever."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._wake.wait()
            try:
                async with asyncio.timeout(_ACK_SECONDS):
                    await self._deliver()
            except (DomainError, TimeoutError) as error:
                _log.info("relay does not take orders; trying again", relay_id=self.relay_id, error=str(error))
                self._failing = True
                self._release(list(self._waiting))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
            else:
                pause = _FIRST_PAUSE_SECONDS
                self._failing = False

    async def _deliver(self) -> None:
        """One batch of each kind; rooms first, since seats mean nothing without them."""
        parts = list(islice(self._parts.values(), _BATCH))
        if parts:
            await self.client.configure_rooms(parts)
            for part in parts:
                if self._parts.get(part.room_id) is part:
                    del self._parts[part.room_id]
                    self._release((part.room_id,))
        waiting = list(islice(self._orders.items(), _BATCH))
        if waiting:
            await self.client.apply_seat_changes([order for _, (order, _) in waiting])
            now = self._clock.monotonic()
            for key, entry in waiting:
                if self._orders.get(key) is entry:
                    del self._orders[key]
                    self._release((key,))
                self._latency.observe(now - entry[1])
        if not self._parts and not self._orders:
            self._wake.clear()
            self._idle.set()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()


def _key(order: SeatOrder) -> _Key:
    return (order.room_id, order.user_id, order.action, order.sign_in_id)


class Dispatch:
    """The queues of all relays."""

    def __init__(self, clock: Clock, latency: LatencySink, background: Background) -> None:
        self._clock = clock
        self._latency = latency
        self._background = background
        self._queues: dict[str, RelayQueue] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def open(self, relay_id: str, client: RelayClient) -> None:
        """Begins to deliver to a relay; what waits for an older address of it is handed over."""
        queue = RelayQueue(relay_id, client, self._clock, self._latency)
        older = self._queues.get(relay_id)
        self._queues[relay_id] = queue
        if older is not None:
            self._tasks[relay_id].cancel()
            queue.take_over(older)
        self._tasks[relay_id] = self._background.spawn(f"orders to {relay_id}", queue.run, restart=True)

    def order(self, relay_ids: Iterable[str], orders: Sequence[SeatOrder]) -> None:
        """Queues orders for relays; one not known has no sessions."""
        for relay_id in relay_ids:
            if relay_id in self._queues:
                self._queues[relay_id].order(orders)

    def configure(self, relay_ids: Iterable[str], part: RoomPart) -> None:
        """Queues a room's part for relays."""
        for relay_id in relay_ids:
            if relay_id in self._queues:
                self._queues[relay_id].configure(part)

    def clear_orders(self, relay_id: str) -> None:
        """Forgets the orders for a relay that started anew."""
        if relay_id in self._queues:
            self._queues[relay_id].clear_orders()

    async def acknowledged(self, relay_ids: Iterable[str], orders: Sequence[SeatOrder], room_id: str) -> None:
        """Waits until orders and part of a room are in force there, two seconds at most, and not where one is away."""
        queues = [self._queues[relay_id] for relay_id in relay_ids if relay_id in self._queues]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ACK_SECONDS):
                await asyncio.gather(*(queue.acknowledged(orders, room_id) for queue in queues))

    async def settle_all(self, seconds: float) -> None:
        """Waits until every relay acknowledged everything, or the time is over."""
        await asyncio.gather(*(queue.settled(seconds) for queue in self._queues.values()))

    async def settled(self, relay_id: str, seconds: float) -> bool:
        """Waits until a relay acknowledged everything; False when that takes longer or it is not known."""
        queue = self._queues.get(relay_id)
        return queue is not None and await queue.settled(seconds)
