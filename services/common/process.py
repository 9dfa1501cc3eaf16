"""Runs a service as a process: event loop, signals, open-files limit, and plain words when it cannot start."""

import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NoReturn

import uvloop

from services.common.errors import Conflict, StorageUnavailable
from services.common.net import PortTaken
from services.common.settings import SettingsError
from services.common.sight import tracing
from services.common.sight.log import get_logger, is_for_programs
from services.common.sight.stray import take_in
from services.common.trust.private import UMASK

EXIT_CANNOT_START = 2
_AGAIN_SECONDS = 1.0


class Stopped(Exception):
    """A stop was asked for before the service could serve."""


class Stop:
    """Tells the service's main function that it was asked to stop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def request(self) -> None:
        """Asks for a stop, as a signal does."""
        self._event.set()

    async def wait(self) -> None:
        """Returns once a stop was asked for."""
        await self._event.wait()

    async def until_there(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Does what a start needs as soon as that is possible: tried each second, said once.

        Raises Stopped, and whatever is no matter of waiting.
        """
        log, waits = get_logger("process"), False
        while True:
            try:
                await attempt()
            except (StorageUnavailable, Conflict) as error:
                if not waits:
                    log.warning("waiting before serving", waiting_for=what, why=str(error.__cause__ or error))
                waits = True
            else:
                if waits:
                    log.info("going on", waited_for=what)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await self.wait()
                    raise Stopped


def run_service(main: Callable[[Stop], Awaitable[None]]) -> NoReturn:
    """Runs `main(stop)` until it returns, then exits the process. What it writes is for its own user alone.

    SIGTERM or SIGINT requests the stop, so that `main` drains and returns; a second one ends the process at once.
    A SettingsError or a taken port is printed as one line and exits with code 2.
    """
    take_in()
    raise_open_files_limit()
    os.umask(UMASK)
    calm_collector()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_stopped(main))
    except (SettingsError, PortTaken) as error:
        _say(str(error))
        sys.exit(EXIT_CANNOT_START)
    finally:
        tracing.stop()
    sys.exit(0)


def _say(why: str) -> None:
    """Says in one line why it cannot go on, to whoever reads its lines."""
    if is_for_programs():
        get_logger("process").error("cannot go on", why=why)
    else:
        print(f"{Path(sys.argv[0]).parent.name}: {why}", file=sys.stderr, flush=True)  # noqa: T201 (for the person at the terminal)


def calm_collector() -> None:
    """Has the cycle collector leave alone what was imported, and look for the rest's few cycles less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 25)


def raise_open_files_limit() -> None:
    """Raises the soft limit of open files to the hard one: each client may need a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write_ready_file(path: Path | None, ports: Mapping[str, int]) -> None:
    """Tells a supervisor the chosen ports by a JSON file that appears whole or not at all; None does nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({**ports, "pid": os.getpid()}, file)
    Path(name).replace(path)


async def _until_stopped(main: Callable[[Stop], Awaitable[None]]) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.requested:
            os._exit(128 + number)
        stop.request()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    with contextlib.suppress(Stopped):
        await main(stop)
