"""Keeps background tasks alive, known and logged; the only place that creates tasks."""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable
from typing import Self

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.throttle import Throttle

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_CANCELLATIONS = 5
_COMPLAIN_SECONDS = 60.0

_log = get_logger("tasks")


class Background:
    """A set of tasks that end with their owner: failures are logged, `stop` cancels and waits.

    Use it as an async context manager, or call `stop` yourself.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._complaints: dict[str, Throttle] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, name: str, run: Callable[[], Awaitable[None]], *, restart: bool = False) -> asyncio.Task[None]:
        """Runs `run()` in the background; with `restart`, again and with growing pauses whenever it fails.

        It runs on nobody's behalf: the caller, deadline and request id of an RPC that starts it do not reach it.

        Raises RuntimeError once the owner is stopping.
        """
        if self._stopping:
            raise RuntimeError(f"cannot start {name}: stopping")
        work = self._run_for_ever(name, run) if restart else self._run_once(name, run)
        task = asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def every(self, name: str, seconds: float, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Runs `run()` each `seconds`, first after one interval; a failed round is logged and the next one comes."""

        async def rounds() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self._run_once(name, run)

        return self.spawn(name, rounds)

    async def stop(self) -> None:
        """Cancels what still runs and waits until it has ended."""
        self._stopping = True
        pending = {task for task in self._tasks if task is not asyncio.current_task()}
        # Libraries sometimes swallow a cancellation, so it is repeated, but not for ever.
        for _ in range(_CANCELLATIONS):
            for task in pending:
                task.cancel()
            if pending:
                _, pending = await asyncio.wait(pending, timeout=1.0)
        for task in pending:
            _log.error("background task does not end", task=task.get_name())

    async def _run_once(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 (logged)
            self._complain(name, error)

    def _complain(self, name: str, error: Exception, **fields: float) -> None:
        """A fault with its stack; that another part is away is no fault of the task's, and one line a minute.

        Nor is what work that is cut off by `stop` ends with: drivers of databases tell it by errors of their own.
        """
        if self._stopping:
            _log.info("background task was cut off", task=name, error=repr(error))
            return
        if not isinstance(error, DomainError) or error.kind != "unavailable":
            _log.error("background task failed", task=name, exc_info=error, **fields)
            return
        left_out = self._complaints.setdefault(name, Throttle(_COMPLAIN_SECONDS)).passes()
        if left_out is not None:
            _log.info("background task waits", task=name, reason=error.reason, lines_left_out=left_out)

    async def _run_for_ever(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await run()
            except Exception as error:  # noqa: BLE001 (logged)
                self._complain(name, error, again_in_seconds=round(pause, 2))
                if self._stopping:
                    return
            else:
                return
            if loop.time() - started > 2 * _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
