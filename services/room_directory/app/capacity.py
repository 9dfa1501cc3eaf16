"""What the fleet carries, and what it could: for operators, by the model that admits."""

import asyncio
from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.programme.forecast import Forecast, Plan, Room, for_newcomers, forecast, listeners_on, rooms_on
from services.programme.https_work import Load, most_of
from services.programme.work import NOTHING, Work
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.listeners import GatewayLoad
from services.room_directory.app.ports import Limits
from services.room_directory.domain.placement import RelayLoadState

SMALL = Plan(rooms=1, listeners=10)
"""What most rooms are like."""
_NEW = ""
"""Stands for a room that is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOutlook:
    """One relay, and how much more it takes."""

    state: RelayLoadState
    accepting: bool
    room: Room
    taken: Work
    """What is carried and was promised since, whoever is kept out."""
    carries: bool
    """Whether there is a room that one more listener might hear."""

    @property
    def listeners_more(self) -> int:
        """Of a room that it carries already; of a new one where it carries none."""
        if self.carries:
            return self.room.times(self.room.tariff.listener())
        return listeners_on(self.room)

    @property
    def small_rooms_more(self) -> int:
        return rooms_on(SMALL, self.room)

    @property
    def held(self) -> int:
        """Usual work that newcomers are kept from beside what is taken."""
        return self.room.work.usual - self.taken.usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The fleet as it is, and what a plan would take; None where no relay has said what it can."""

    fleet: list[RelayOutlook]
    forecast: Forecast | None
    gateways: list[tuple[str, GatewayLoad]]
    """Those that told what they carry over HTTPS."""
    over_https: "OverHttps"
    lacks_gateways: bool = False
    """Whether relays carry all of the plan, and gateways do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverHttps:
    """What those of a plan take of gateways who listen over HTTPS."""

    load: Load
    more: int
    """How many more the gateways let in, together."""
    gateways: int
    """Such as the largest, with nobody else on them; 0 where none has said what it can."""

    @property
    def fits(self) -> bool:
        return self.load.listeners <= self.more


class CapacityCases:
    """Forecasts."""

    def __init__(self, fleet: Fleet, clock: Clock, limits: Limits, listener_limit: int) -> None:
        self._fleet = fleet
        self._clock = clock
        self._share = for_newcomers(limits.relay_share)
        self._listener_limit = listener_limit

    async def forecast(self, plan: Plan, over_https: int = 0) -> Outlook:
        """Lays the plan out over the relays that take people now, and so many more in each room over gateways."""
        now = self._clock.monotonic()
        fleet = [
            RelayOutlook(
                state=relay,
                accepting=accepting,
                room=Room(relay.committed(now), relay.limits, relay.tariff, self._share),
                taken=relay.taken + relay.reserved.total(now, relay.carried),
                carries=bool(relay.carried) or relay.reserved.awaits_any,
            )
            for relay, accepting in self._fleet.list_relays()
            if relay.is_fresh(now) and relay.limits.usual
        ]
        fleet.sort(key=lambda each: (each.state.ordinal, each.state.relay_id))
        gateways = self._fleet.listeners.loads()
        web = _over_https(plan.rooms * over_https, gateways)
        takers = [each.room for each in fleet if each.accepting]
        if not takers:
            return Outlook(fleet=fleet, forecast=None, gateways=gateways, over_https=web)
        largest = max(takers, key=lambda room: room.limits.usual)
        kind = Room(NOTHING, largest.limits, largest.tariff, self._share)
        # Copies: laying out takes while it lasts, and the relays themselves stay as they are.
        copies = [Room(each.work, each.limits, each.tariff, each.share) for each in takers]
        told = await asyncio.to_thread(forecast, plan, copies, kind)
        # A room has so many seats however large the fleet is; beside others newcomers of one take a part of it at most.
        most = min(self._fleet.promises.most_in(_NEW), self._listener_limit)
        if plan.listeners > most:
            fits = None if told.listeners_carried is None else min(told.listeners_carried, int(most))
            told = replace(told, listeners_carried=fits, rooms_carried=0)
        elif plan.listeners + over_https > self._listener_limit:
            told = replace(told, rooms_carried=0)
        lacks_gateways = told.rooms_carried == plan.rooms and not web.fits
        if not web.fits:
            told = replace(told, rooms_carried=min(told.rooms_carried, web.more // over_https))
        return Outlook(fleet=fleet, forecast=told, gateways=gateways, over_https=web, lacks_gateways=lacks_gateways)


def _over_https(people: int, gateways: list[tuple[str, GatewayLoad]]) -> OverHttps:
    loads = [load for _, load in gateways]
    each = max((most_of(load.limit, load.bits_limit) for load in loads), default=0)
    return OverHttps(
        load=Load(people), more=sum(load.more for load in loads), gateways=-(-people // each) if each else 0
    )
