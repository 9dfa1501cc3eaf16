"""What listening over HTTPS costs a gateway, and how many it lets in: the counterpart of `work` for rung 4."""

from dataclasses import dataclass
from math import ceil
from typing import Final

LISTENER_MICROSECONDS: Final = 100.0
"""CPU each second for one listener, TLS by the gateway: 75 were measured on a slow core, and slow readers cost more."""
LISTENER_BYTES: Final = 64 * 1024
"""Memory of one listener at most: 43 KiB were measured over TLS."""
LISTENER_BITS: Final = 40_000
"""A second: 32 kbit/s of sound, its container, HTTP, TLS and TCP."""
THRIFTY_BITS: Final = 16_000
"""The same of a channel in few bits: seven megabytes an hour at most."""
MEMBERS_SHARE: Final = 0.25
"""Of what a gateway lets in: kept free of those who do not sign in."""
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
class Bound:
    """What people with seats and those who did not sign in have together, as a count or in bits a second.

    A part is for people with seats alone, so that they are refused last; nobody inside is sent away for them.
    """

    most: int

    def fits(self, members: int, anybody: int, more: int, *, is_anybody: bool) -> bool:
        """Whether more has room beside what both have."""
        kept = ceil(self.most * MEMBERS_SHARE) if is_anybody else 0
        return max(members, kept) + anybody + more <= self.most

    def left(self, members: int, anybody: int) -> int:
        """What people with seats may still have."""
        return max(0, self.most - members - anybody)


def bits_of(*, thrift: bool) -> int:
    """A second, for one listener."""
    return THRIFTY_BITS if thrift else LISTENER_BITS


def most_of(listeners: int, bits: int) -> int:
    """How many listen at most where both are bounds; 0 bits: there is none."""
    return min(listeners, bits // LISTENER_BITS) if bits else listeners


@dataclass(frozen=True, slots=True)
class Load:
    """What so many listeners cost."""

    listeners: int
    thrifty: int = 0
    """Of them, those who hear a channel in few bits."""

    @property
    def millicores(self) -> int:
        """Thousandths of a core."""
        return round(self.listeners * LISTENER_MICROSECONDS / 1000)

    @property
    def memory_bytes(self) -> int:
        return self.listeners * LISTENER_BYTES

    @property
    def bits_per_second(self) -> int:
        return (self.listeners - self.thrifty) * LISTENER_BITS + self.thrifty * THRIFTY_BITS
