"""Rows of the whole system while nobody is there: what a small server pays for keeping its doors open."""

import asyncio
import os
import time
from pathlib import Path

from ops.nats_config import SERVICES
from tests.load.rows import Row, row
from tests.support.stack import Stack

SETTLE_SECONDS = 20.0
WATCHED_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


def proportional_mib(pid: int) -> float:
    """PSS of a process in MiB: pages shared with others are divided among them (proc(5), smaps_rollup)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("the system does not tell a process's PSS")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, in user and system mode (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def idle_rows(folder: Path) -> list[Row]:
    """Starts the system as `make run` does and watches all its processes, the bus and the supervisor included."""
    stack = Stack(folder / "state")
    await stack.start()
    try:
        pids = {name: stack.pid(name) for name in (*SERVICES, "nats")}
        if stack.process is not None:
            pids["supervisor"] = stack.process.pid
        await asyncio.sleep(SETTLE_SECONDS)
        began, before = time.monotonic(), {name: cpu_seconds(pid) for name, pid in pids.items()}
        await asyncio.sleep(WATCHED_SECONDS)
        seconds = time.monotonic() - began
        shares = {name: (cpu_seconds(pid) - before[name]) / seconds for name, pid in pids.items()}
        memory = {name: proportional_mib(pid) for name, pid in pids.items()}
    finally:
        await stack.stop()
    return [
        row("idle_mib", sum(memory.values()), "MiB", "PSS; " + _parts(memory, "{:.0f}")),
        row("idle_core_share", sum(shares.values()), "cores", _parts(shares, "{:.4f}")),
    ]


def _parts(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())
