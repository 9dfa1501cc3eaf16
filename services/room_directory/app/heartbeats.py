"""Loads as relays tell them on the bus, where anybody with a relay's login may tell anything of any relay."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.common.tasks import Background
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.ports import RelayClients
from services.room_directory.app.relay_clocks import RelayClocks
from services.room_directory.domain.placement import RelayLoadState

MOST_STRANGERS = 64
"""Relays not known here that are asked who they are at the same time."""
_STRANGERS_AT_ONCE, _STRANGERS_A_SECOND = 200, 50.0
_ASK_SECONDS = 1.0

_log = get_logger("heartbeats")


class Heartbeats:
    """Takes in what known relays tell at once; whoever says to be another relay, or another start, is asked first.

    A load costs the same however many come. A relay that is known is never kept waiting by others, nor forgotten for
    them; of strangers a few are asked at a time, and the rest are heard when they tell again.
    """

    def __init__(
        self,
        fleet: Fleet,
        clocks: RelayClocks,
        clients: RelayClients,
        background: Background,
        *,
        clock: Clock,
        gave_way: Callable[[str], None],
    ) -> None:
        """`gave_way` hears why a load was not taken in."""
        self._fleet = fleet
        self._clocks = clocks
        self._clients = clients
        self._background = background
        self._clock = clock
        self._gave_way = gave_way
        self._pace = TokenBuckets(_STRANGERS_AT_ONCE, _STRANGERS_A_SECOND, max_keys=1)
        self._newest: dict[str, RelayLoadState | None] = {}
        """By relay that is being looked at, what it told meanwhile."""
        self._strangers: set[str] = set()

    def knows(self, relay_id: str) -> bool:
        """Whether a relay of that name has answered, now or before this start."""
        return relay_id in self._fleet.relays

    async def hear(self, report: RelayLoadState, sent_at: datetime | None) -> None:
        """Takes in one load; whatever takes longer goes on beside it."""
        if self.knows(report.relay_id):
            report = self._clocks.read(report, sent_at)
            if self._clocks.is_late(report, sent_at):
                # Whether it lives still is asked of the relay itself.
                self._gave_way("stale")
                return
            if report.relay_id not in self._newest and self._fleet.keeps(report):
                await self._fleet.on_load(report)
                return
        self._look_at(report)

    def _look_at(self, report: RelayLoadState) -> None:
        relay_id = report.relay_id
        if relay_id not in self._newest:
            if not self.knows(relay_id):
                if len(self._strangers) >= MOST_STRANGERS or self._pace.take("", self._clock.monotonic()):
                    self._gave_way("unknown")
                    return
                self._strangers.add(relay_id)
            self._background.spawn("look at a relay", partial(self._take_in, relay_id))
        self._newest[relay_id] = report

    async def _take_in(self, relay_id: str) -> None:
        try:
            while (report := self._newest[relay_id]) is not None:
                self._newest[relay_id] = None
                answer = report if self._fleet.recognises(report) else await self._asked(report)
                if answer is not None:
                    await self._fleet.on_load(answer)
        finally:
            del self._newest[relay_id]
            self._strangers.discard(relay_id)

    async def _asked(self, report: RelayLoadState) -> RelayLoadState | None:
        """What a relay says itself at the address that was told; None when it is another one, or none at all."""
        client = self._clients(report.relay_id, report.grpc_address)
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                answer = await client.get_load()
        except (DomainError, TimeoutError) as error:
            _log.debug("who says to be a relay does not answer", relay_id=report.relay_id, error=str(error))
            return None
        finally:
            await client.close()
        is_it = (answer.relay_id, answer.grpc_address) == (report.relay_id, report.grpc_address)
        return answer if is_it else None
