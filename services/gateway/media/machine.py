"""What the machine gives this gateway: cores and memory, by its control group where that has limits."""

import os
from dataclasses import replace
from pathlib import Path

from services.gateway.settings import Settings
from services.programme.https_work import Budget

_GROUP = Path("/sys/fs/cgroup")


def budget(group: Path = _GROUP) -> Budget:
    """What it has for those who listen over HTTPS."""
    return Budget(min(float(len(os.sched_getaffinity(0))), _quota(group / "cpu.max")), _memory(group / "memory.max"))


def within(settings: Settings, given: Budget | None = None) -> Settings:
    """The settings, with no more listeners over HTTPS than the machine carries."""
    return replace(settings, max_listeners=(given or budget()).listeners(settings.max_listeners))


def _quota(path: Path) -> float:
    """Cores of a quota in the form of cgroup v2 ("max 100000", "50000 100000"); without one, very many."""
    try:
        allowed, period = path.read_text(encoding="ascii").split()
        return int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return float(1 << 16)


def _memory(path: Path) -> int:
    """Bytes that the control group allows, at most those that the machine has."""
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(has, int(path.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return has
