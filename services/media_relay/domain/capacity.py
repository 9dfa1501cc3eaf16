"""How many packets a second the relay may promise, and to whom."""

from typing import Literal

from services.media_relay.domain.errors import RelayFull

PacketMs = Literal[20, 40, 60]
"""Milliseconds of sound that a listener's packet may hold."""
PACKET_MS = 20
KEPT_BACK = 0.10
"""Share of the budget that only the stage and people coming back may use."""
SLOT_SHARE = 1000 // PACKET_MS
MAX_SENDER_THREADS = 16
"""As many as the packet core takes."""


def stage_cost(slots: int) -> int:
    """Packets a second that one person on stage costs at most: each slot, and the microphone's own way in."""
    return SLOT_SHARE * (slots + 1)


class Capacity:
    """The budget of a relay in packets a second; what was promised is counted whether or not anyone speaks."""

    def __init__(self, budget: int, packet_ms: int = PACKET_MS) -> None:
        if budget <= 0:
            raise ValueError("the budget must be positive")
        self.budget = budget
        self.packet_ms = packet_ms
        """Milliseconds of sound in each packet to listeners."""
        self.promised = 0

    def audience_cost(self) -> int:
        """Packets a second that one listener costs at most."""
        return -(-1000 // self.packet_ms)

    def check(self, cost: int, *, preferred: bool) -> None:
        """Raises RelayFull unless `cost` more fits; `preferred` callers may use what is kept back."""
        limit = self.budget if preferred else int(self.budget * (1 - KEPT_BACK))
        if self.promised + cost > limit:
            raise RelayFull("this relay carries as much as it can", retry_after_seconds=2.0)

    def promise(self, cost: int) -> None:
        """Counts a session in."""
        self.promised += cost

    def release(self, cost: int) -> None:
        """Counts a session out."""
        self.promised -= cost
