"""Looks at the parts while they run: one that stands still is named, and started again when that does not pass."""

import asyncio
import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

from ops.run.plan import Part

LOOK_SECONDS = 5.0
STUCK_SECONDS = 60.0
"""After so long a part that stands still is started again."""
STOP_SECONDS = 5.0


class Watched(Protocol):
    """What the watch needs of a process."""

    part: Part

    @property
    def pid(self) -> int | None:
        """Its process id just now."""

    def say(self, message: str) -> None:
        """Tells the person at the terminal."""

    async def end(self, grace_seconds: float) -> None:
        """Ends the process; it is started again."""


class Waiting(Protocol):
    """Files that may still wait to be written."""

    def write(self) -> None: ...


def stands_still(url: str, *, seconds: float = 2.0) -> bool:
    """Whether a part says that its event loop does not turn, or takes a connection and says nothing.

    That is what one does whose every thread is held up; one that takes none is only starting or ending.
    """
    try:
        with urllib.request.urlopen(url, timeout=seconds):  # noqa: S310 - an http:// address made by plan()
            return False
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == HTTPStatus.SERVICE_UNAVAILABLE
    except urllib.error.URLError as error:
        return isinstance(error.reason, TimeoutError)
    except TimeoutError:
        return True
    except (OSError, http.client.HTTPException):
        return False


class Watch:
    """Notes since when a part stands still."""

    def __init__(
        self,
        processes: Iterable[Watched],
        records: Waiting,
        *,
        is_stuck: Callable[[str], bool] = stands_still,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = [process for process in processes if process.part.alive_url]
        self._records = records
        self._is_stuck = is_stuck
        self._clock = clock
        self._since: dict[str, tuple[int | None, float]] = {}

    async def keep_on(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # A system without a thread or a descriptor to spare is looked at again later.
            with contextlib.suppress(OSError, RuntimeError):
                await self.look()

    async def look(self) -> None:
        self._records.write()
        urls = [process.part.alive_url for process in self._processes]
        stuck = await asyncio.gather(*(asyncio.to_thread(self._is_stuck, url) for url in urls))
        for process, is_stuck in zip(self._processes, stuck, strict=True):
            await self._judge(process, is_stuck=is_stuck)

    async def _judge(self, process: Watched, *, is_stuck: bool) -> None:
        name, now = process.part.name, self._clock()
        pid, since = self._since.get(name, (None, now))
        if not is_stuck or process.pid is None:
            if self._since.pop(name, None) and process.pid == pid:
                process.say(f"{name} goes on")
            return
        if pid != process.pid:
            self._since[name] = (process.pid, now)
            process.say(f"{name} stands still; if it does for {STUCK_SECONDS:g} s it is started again")
        elif now - since >= STUCK_SECONDS:
            del self._since[name]
            process.say(f"{name} has stood still for {now - since:.0f} s: starting it again")
            await process.end(STOP_SECONDS)
