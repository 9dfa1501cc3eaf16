"""Empties a relay that was told to stop: people are asked to move, who does not is let go bit by bit."""

import asyncio
from collections.abc import Awaitable, Callable

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.media_relay.domain.leaving import Leaving, OtherRelays
from services.media_relay.sessions.opening import RelayApp

STEP_SECONDS = 0.2

_log = get_logger("drain")


class Drain:
    """One stop of one relay."""

    def __init__(self, app: RelayApp, others: OtherRelays, clock: Clock) -> None:
        self._app = app
        self._others = others
        self._clock = clock
        self._leaving: Leaving | None = None

    def move_within_milliseconds(self) -> int:
        """What the heartbeat says: how long people have to move in peace; 0 while nobody is asked to."""
        return self._leaving.move_within_milliseconds(self._clock.monotonic()) if self._leaving else 0

    async def run(self, seconds: float, tell: Callable[[], Awaitable[None]]) -> None:
        """Takes no new sessions and returns once there are none; `tell` sends a heartbeat.

        Where no other relay could take people nobody gains by waiting: they come back when this one does.
        """
        relay, now = self._app.relay, self._clock.monotonic()
        relay.draining = True
        leaving = Leaving(began=now, seconds=seconds if self._others.could_take(now) else 0.0)
        self._leaving = leaving
        _log.info("draining", sessions=len(relay.sessions), seconds=leaving.seconds)
        await tell()
        while len(relay.sessions):
            now = self._clock.monotonic()
            if not self._others.could_take(now):
                break
            self._app.let_go(leaving.may_stay(len(relay.sessions), now))
            await asyncio.sleep(STEP_SECONDS if len(relay.sessions) else 0.0)
        self._app.let_go(0)
        _log.info("drained", seconds=round(self._clock.monotonic() - leaving.began, 1))
