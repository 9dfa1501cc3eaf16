"""What operators see and order of the ladders by which relays shed load."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from services.common.clock import Clock
from services.common.errors import FieldInvalid
from services.common.trust.actor import Actor
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.ports import Act
from services.room_directory.domain.ladder import EVERY_RELAY, LadderOrder, LadderOrders, checked_order
from services.room_directory.domain.placement import RelayLoadState


class OrderStore(Protocol):
    """Where orders are kept."""

    async def orders(self) -> LadderOrders:
        """All that are kept."""
        ...

    async def change(self, act: Act, relay_id: str, order: Callable[[datetime], LadderOrder | None]) -> LadderOrders:
        """Puts an order in the place of the one for a relay, or takes that away; `order` is told when."""
        ...


class LadderCases:
    """Every copy tells relays the orders that stand: whichever they hear last, the newest change holds."""

    def __init__(
        self, store: OrderStore, fleet: Fleet, tell: Callable[[LadderOrders], Awaitable[None]], clock: Clock
    ) -> None:
        """`tell` reaches all relays, or none while the bus is away."""
        self._store = store
        self._fleet = fleet
        self._tell = tell
        self._clock = clock

    async def inspect(self) -> tuple[list[RelayLoadState], tuple[LadderOrder, ...]]:
        """The relays that report, and the orders that stand."""
        now = self._clock.monotonic()
        relays = [relay for relay, _ in self._fleet.list_relays() if relay.is_fresh(now)]
        relays.sort(key=lambda each: (each.ordinal, each.relay_id))
        return relays, (await self._store.orders()).standing(self._clock.now())

    async def pin(self, by: Actor, relay_id: str, step: int, reason: str, until: datetime) -> tuple[LadderOrder, ...]:
        """Holds a relay, or all, at a step. Raises FieldInvalid."""
        if not self._is_known(relay_id):
            raise _unknown_relay()

        def order(now: datetime) -> LadderOrder:
            return checked_order(
                relay_id=relay_id, step=step, reason=reason, operator_id=by.user_id, now=now, until=until
            )

        detail = {"step": str(step), "reason": order(self._clock.now()).reason, "until": until.isoformat()}
        act = Act(by.user_id, "ladder_pinned", relay_id or "relays", by.told(detail))
        return await self._change(act, relay_id, order)

    async def release(self, by: Actor, relay_id: str) -> tuple[LadderOrder, ...]:
        """Takes an order back; one that is not there stays away. Raises FieldInvalid for a relay that never was."""
        if not self._is_known(relay_id):
            # An order outlives its relay, and can be taken back all the same.
            ordered = {order.relay_id for order in (await self._store.orders()).orders}
            if relay_id not in ordered:
                raise _unknown_relay()
        act = Act(by.user_id, "ladder_released", relay_id or "relays", by.told({}))
        return await self._change(act, relay_id, lambda _: None)

    async def tell(self) -> None:
        """Tells relays what stands: those that began anew, and those that missed it. Call it every few seconds."""
        stored = await self._store.orders()
        if stored.changed_at is not None:
            await self._tell(stored)

    def _is_known(self, relay_id: str) -> bool:
        return relay_id == EVERY_RELAY or relay_id in self._fleet.relays

    async def _change(
        self, act: Act, relay_id: str, order: Callable[[datetime], LadderOrder | None]
    ) -> tuple[LadderOrder, ...]:
        stored = await self._store.change(act, relay_id, order)
        await self._tell(stored)
        return stored.standing(self._clock.now())


def _unknown_relay() -> FieldInvalid:
    return FieldInvalid(fields=(("relay_id", "names no relay that is known"),))
