"""Hears the wishes of all consumers on the bus, and hands on those that the contract allows."""

from collections.abc import Callable
from typing import Any, Protocol

from majlis.programme.v1.programme_pb2 import Wanted

from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.throttle import Throttle
from services.programme.wishes import Wish, WishRefused, read_wish

QUEUE_LIMIT = 1024
"""Each consumer tells once a second: this is four times as many as may have wishes."""
REASONS = ("junk", "too_many_channels", "too_many_consumers")

_log = get_logger("wishes")


class Inlet(Protocol):
    """What is needed of the bus."""

    async def subscribe(self, event_type: type[Wanted], handler: Any, *, queue_limit: int) -> Any:
        """Hands each event on, one at a time."""
        ...


class WishEar:
    """Calls `take` with each wish of others; what is refused, here or by it (WishRefused), is counted and logged."""

    def __init__(self, bus: Inlet, take: Callable[[Wish], None], metrics: Metrics, own_id: str = "") -> None:
        self._bus = bus
        self._own_id = own_id
        self._take = take
        self._lines = Throttle()
        self._refused = metrics.counter(
            "majlis_programme_wishes_refused_total", "Wishes for channels that were not taken.", ("why",)
        )
        for why in REASONS:
            self._refused.labels(why)

    async def start(self) -> None:
        """Begins to listen."""
        await self._bus.subscribe(Wanted, self._heard, queue_limit=QUEUE_LIMIT)

    async def _heard(self, message: Wanted) -> None:
        if self._own_id and message.consumer_id == self._own_id:
            return
        try:
            self._take(read_wish(message))
        except WishRefused as error:
            self._refused.labels(error.why).inc()
            if (left_out := self._lines.passes()) is not None:
                consumer = message.consumer_id[:32]
                _log.warning("a wish is not taken", consumer=consumer, error=str(error), left_out=left_out)
