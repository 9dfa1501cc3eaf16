"""What listening over HTTPS costs a gateway, and how many it lets in: the counterpart of `work` for rung 4."""

from dataclasses import dataclass
from typing import Final

LISTENER_MICROSECONDS: Final = 100.0
"""CPU each second for one listener, TLS by the gateway: 75 were measured on a slow core, and slow readers cost more."""
LISTENER_BYTES: Final = 64 * 1024
"""Memory of one listener at most: 43 KiB were measured over TLS."""
LISTENER_BITS: Final = 40_000
"""A second: 32 kbit/s of sound, its container, HTTP, TLS and TCP."""
CPU_SHARE: Final = 0.5
"""Of the one core that a gateway uses: pages, events and calls need the rest."""
MEMORY_SHARE: Final = 0.25
"""Of the memory that it may use."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a gateway has for those who listen over HTTPS."""

    cores: float
    """That it may use; more than one does it no good."""
    memory_bytes: int | None = None
    """That it may use; None where nobody said."""

    def listeners(self, most: int) -> int:
        """How many it sends sound to, `most` at most and one at least."""
        by_core = int(CPU_SHARE * min(1.0, self.cores) * 1e6 / LISTENER_MICROSECONDS)
        by_memory = most if self.memory_bytes is None else int(MEMORY_SHARE * self.memory_bytes / LISTENER_BYTES)
        return max(1, min(most, by_core, by_memory))


@dataclass(frozen=True, slots=True)
class Load:
    """What so many listeners cost."""

    listeners: int

    @property
    def millicores(self) -> int:
        """Thousandths of a core."""
        return round(self.listeners * LISTENER_MICROSECONDS / 1000)

    @property
    def memory_bytes(self) -> int:
        return self.listeners * LISTENER_BYTES

    @property
    def bits_per_second(self) -> int:
        return self.listeners * LISTENER_BITS
