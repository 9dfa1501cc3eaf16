"""What the machine gives the relay: cores, threads that send, packets a second."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from services.media_relay.domain.capacity import MAX_SENDER_THREADS

USED_SHARE = 0.75
"""Share of the measured packet rate that the relay promises."""
LEAST_BUDGET = 1000

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores(quota: Path = _QUOTA) -> int:
    """Cores this process may use, at least one: those it may run on, or fewer where its control group has a quota."""
    return max(1, min(len(os.sched_getaffinity(0)), _quota_cores(quota)))


def _quota_cores(quota: Path) -> int:
    """Whole cores of a quota in the form of cgroup v2 ("max 100000", "150000 100000"); without one, very many."""
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        return int(allowed) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return 1 << 16


def sender_threads(available: int, wanted: int | None = None) -> int:
    """How many threads send with so many cores: as wanted, or all cores but the one on which everything else runs."""
    return wanted or max(1, min(MAX_SENDER_THREADS, available - 1))


def packet_budget(packets_a_core: float, available: int, threads: int) -> int:
    """Packets a second to promise. More threads than cores send no more, and one core is left to everything else."""
    return max(LEAST_BUDGET, int(packets_a_core * USED_SHARE * min(threads, max(1, available - 1))))


async def measured_budget(measure: Callable[[], float], wanted_threads: int | None) -> int:
    """The budget by a measurement of packets a core can send, which runs on a thread of its own."""
    measured, available = await asyncio.to_thread(measure), cores()
    return packet_budget(measured, available, sender_threads(available, wanted_threads))
