"""Loads as relays tell them on the bus, where anybody with a relay's login may tell anything of any relay."""

from collections.abc import Callable
from datetime import datetime

from services.common.clock import Clock
from services.common.tasks import Background
from services.programme.introductions import Introductions
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.ports import RelayClients
from services.room_directory.app.relay_clocks import RelayClocks
from services.room_directory.domain.placement import RelayLoadState


class Heartbeats:
    """Takes in what known relays tell at once; whoever says to be another relay, or another start, is asked first.

    A load costs the same however many come.
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
        self._gave_way = gave_way
        self._introductions = Introductions[RelayLoadState](
            background,
            knows=self.knows,
            recognises=fleet.recognises,
            ask=self._ask,
            take_in=fleet.on_load,
            monotonic=clock.monotonic,
            gave_way=gave_way,
        )

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
            if not self._introductions.looks_at(report.relay_id) and self._fleet.keeps(report):
                await self._fleet.on_load(report)
                return
        self._introductions.look_at(report)

    async def _ask(self, report: RelayLoadState) -> RelayLoadState:
        client = self._clients(report.relay_id, report.grpc_address)
        try:
            return await client.get_load()
        finally:
            await client.close()
