"""`majlis backup --every`: a backup each so many hours, and metrics that tell when the last one was whole."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ops.errors import OperatorError
from ops.kept_backups import made_at, whole
from services.common.net import PortTaken
from services.common.sight.metrics import Metrics

AGAIN_SECONDS = 600.0
"""After a backup that failed."""
MOST_SECONDS = 6 * 3600.0
"""A backup that takes longer hangs."""


class Told:
    """What the backups tell, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._at = metrics.gauge("majlis_backup_completed_timestamp_seconds", "When the last backup was whole.")
        self._failures = metrics.counter("majlis_backup_failures_total", "Backups that could not be made.")

    def made(self, seconds: float) -> None:
        """A backup was whole at that time."""
        self._at.set(seconds)

    def failed(self) -> None:
        """A backup could not be made."""
        self._failures.inc()


def last(folder: Path) -> int:
    """When the newest backup of a folder was whole, in seconds since the epoch; 0 when there is none."""
    found = whole(folder)
    return made_at(found[-1]) if found else 0


async def keep_on(
    make: Callable[[], Awaitable[Path]],
    folder: Path,
    every: float,
    told: Told,
    stop: asyncio.Event,
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """Makes a backup whenever the newest one of `folder` is `every` seconds old, until `stop`.

    What an earlier run left counts, so a restart makes none too many; one that fails is tried again.
    """
    told.made(last(folder))
    while not stop.is_set():
        wait = last(folder) + every - clock()
        if wait <= 0:
            wait = await _one(make, folder, told)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await stop.wait()


async def _one(make: Callable[[], Awaitable[Path]], folder: Path, told: Told) -> float:
    """Makes one; returns the seconds to wait."""
    try:
        async with asyncio.timeout(MOST_SECONDS):
            made = await make()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises: the next try may do, and the alert tells
        told.failed()
        print(f"majlis: no backup: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return AGAIN_SECONDS
    told.made(last(folder))
    print(f"{made} is whole", flush=True)
    return 0.0


async def serve(make: Callable[[], Awaitable[Path]], folder: Path, every: float, listen: str) -> None:
    """Keeps on, with metrics at `listen`, until told to stop. Raises OperatorError when the address is taken."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    told = Told(Metrics("backup"))
    try:
        await told.metrics.serve(listen)
    except PortTaken as error:
        raise OperatorError(str(error)) from error
    told.metrics.ready = True
    working = asyncio.create_task(keep_on(make, folder, every, told, stop))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # A backup in progress leaves nothing behind that looks like one.
        stopping.cancel()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await told.metrics.stop()
