"""What the fleet carries, and what it could: for operators, by the model that admits."""

import asyncio
from dataclasses import dataclass

from services.common.clock import Clock
from services.programme.forecast import Forecast, Plan, Room, for_newcomers, forecast
from services.programme.work import NOTHING
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.ports import Limits
from services.room_directory.domain.placement import RelayLoadState

SMALL = Plan(rooms=1, listeners=10)
"""What most rooms are like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOutlook:
    """One relay, and how much more it takes."""

    state: RelayLoadState
    accepting: bool
    room: Room

    @property
    def listeners_more(self) -> int:
        """Of a room that it carries already."""
        return self.room.times(self.room.tariff.listener())

    @property
    def small_rooms_more(self) -> int:
        return self.room.times(self.room.tariff.room(SMALL.part(home=True, listeners=SMALL.listeners)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The fleet as it is, and what a plan would take; None where no relay has said what it can."""

    fleet: list[RelayOutlook]
    forecast: Forecast | None


class CapacityCases:
    """Forecasts."""

    def __init__(self, fleet: Fleet, clock: Clock, limits: Limits) -> None:
        self._fleet = fleet
        self._clock = clock
        self._share = for_newcomers(limits.relay_share)

    async def forecast(self, plan: Plan) -> Outlook:
        """Lays the plan out over the relays that take people now."""
        now = self._clock.monotonic()
        fleet = [
            RelayOutlook(
                state=relay,
                accepting=accepting,
                room=Room(relay.committed(now), relay.limits, relay.tariff, self._share),
            )
            for relay, accepting in self._fleet.list_relays()
            if relay.is_fresh(now) and relay.limits.usual
        ]
        fleet.sort(key=lambda each: (each.state.ordinal, each.state.relay_id))
        takers = [each.room for each in fleet if each.accepting]
        if not takers:
            return Outlook(fleet=fleet, forecast=None)
        largest = max(takers, key=lambda room: room.limits.usual)
        kind = Room(NOTHING, largest.limits, largest.tariff, self._share)
        # Copies: laying out takes while it lasts, and the relays themselves stay as they are.
        copies = [Room(each.work, each.limits, each.tariff, each.share) for each in takers]
        return Outlook(fleet=fleet, forecast=await asyncio.to_thread(forecast, plan, copies, kind))
