"""What the machine gives the relay: cores, threads, and what things cost there."""

import os
from pathlib import Path

from services.media_relay.domain.capacity import MAX_PROGRAMME_THREADS, MAX_SENDER_THREADS
from services.programme.work import Machine

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


def programme_threads(available: int, wanted: int | None = None) -> int:
    """How many threads mix and play out programmes with so many cores: as many as send, unless it was said."""
    return wanted or max(1, min(MAX_PROGRAMME_THREADS, available - 1))


def machine(wanted_senders: int | None, wanted_programmes: int | None = None) -> Machine:
    """The cores there are, and the threads that send and make programmes on them."""
    available = cores()
    return Machine(
        cores=available,
        sender_threads=sender_threads(available, wanted_senders),
        programme_threads=programme_threads(available, wanted_programmes),
    )
