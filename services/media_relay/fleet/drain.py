"""Empties a relay that was told to stop: people are asked to move, who does not is let go bit by bit."""

import asyncio
from collections.abc import Awaitable, Callable

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.media_relay.domain.leaving import Leaving, OtherRelays
from services.media_relay.domain.relay import Relay

STEP_SECONDS = 0.2

_log = get_logger("drain")


class Drain:
    """One stop of one relay."""

    def __init__(self, relay: Relay, others: OtherRelays, let_go: Callable[[int], None], clock: Clock) -> None:
        """`let_go` ends all sessions beyond a number."""
        self._relay = relay
        self._others = others
        self._let_go = let_go
        self._clock = clock

    async def run(self, seconds: float, tell: Callable[[], Awaitable[None]]) -> None:
        """Takes no new sessions and returns once there are none; `tell` sends a heartbeat.

        Where no other relay could take people nobody gains by waiting: they come back when this one does.
        """
        relay, now = self._relay, self._clock.monotonic()
        leaving = Leaving(began=now, seconds=seconds if self._others.could_take(now) else 0.0)
        relay.leave(leaving)
        _log.info("draining", sessions=len(relay.sessions), seconds=leaving.seconds)
        await tell()
        while len(relay.sessions):
            now = self._clock.monotonic()
            if not self._others.could_take(now):
                break
            self._let_go(leaving.may_stay(len(relay.sessions), now))
            await asyncio.sleep(STEP_SECONDS if len(relay.sessions) else 0.0)
        self._let_go(0)
        _log.info("drained", seconds=round(self._clock.monotonic() - leaving.began, 1))
