"""What is done round after round: end what is overdue, drop what is no longer needed, give memory back."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from services.common.clock import Clock
from services.media_relay.domain.relay import Relay
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.effects import Effects

TICK_SECONDS = 0.2
SWEEP_SECONDS = 1.0
TRIM_SECONDS = 10.0
TRIM_AFTER_HANDSHAKES = 100
"""Handshakes dropped since the last time, from which on their memory is given back to the system."""


class Dropping(Protocol):
    """What counts the handshakes it let go."""

    @property
    def dropped(self) -> int:
        """How many, ever."""
        ...


class Upkeep:
    """The rounds; `build` says how often each comes."""

    def __init__(
        self,
        relay: Relay,
        rooms: RoomMediaTable,
        effects: Effects,
        handshakes: Dropping,
        *,
        trim: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._relay = relay
        self._rooms = rooms
        self._effects = effects
        self._handshakes = handshakes
        self._trim = trim
        self._clock = clock
        self.trimmed_at = 0
        """Handshakes that had been dropped when memory was given back last."""

    async def tick(self) -> None:
        """Ends what is overdue."""
        self._effects.carry_out(self._relay.tick(self._clock.monotonic()))

    async def sweep(self) -> None:
        """Drops what is no longer needed."""
        now = self._clock.monotonic()
        self._relay.forget(now)
        self._rooms.sweep(now)

    async def give_memory_back(self) -> None:
        """After a storm of handshakes the allocator keeps their memory until it is told to give it back."""
        if self._handshakes.dropped - self.trimmed_at >= TRIM_AFTER_HANDSHAKES:
            self.trimmed_at = self._handshakes.dropped
            await asyncio.to_thread(self._trim)
