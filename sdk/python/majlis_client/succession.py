"""Media sessions that follow each other: one that is to be left goes on until its successor carries sound."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

SILENT_SECONDS = 1.0
"""Where nobody speaks a successor carries no sound either: after so long it has taken over all the same."""


class Session(Protocol):
    """What follows each other."""

    ended: asyncio.Event
    """Set when it is closed or lost, or when what it plays or says failed."""
    failure: Exception | None
    """What failed then."""

    @property
    def relay(self) -> str:
        """The relay that serves it; empty once it is closed."""
        ...

    async def close(self) -> None:
        """Ends it."""
        ...


S = TypeVar("S", bound=Session)


class Succession(Generic[S]):
    """The present session, and whether it is to be left."""

    def __init__(self) -> None:
        self.session: S | None = None
        self._leave = asyncio.Event()
        self._told: set[str] = set()

    @property
    def relay(self) -> str:
        """The relay that serves the present session; empty without one."""
        return self.session.relay if self.session is not None else ""

    @property
    def to_be_left(self) -> bool:
        """Whether the present session goes on only until there is another one."""
        return self._leave.is_set()

    def moved(self, relay_id: str, wait: float = 0.0) -> None:
        """Sound on this relay, or on all where it is empty, is to be had elsewhere, after so many seconds."""
        self._told.add(relay_id)
        session = self.session
        if session is not None and relay_id in {"", session.relay}:
            asyncio.get_running_loop().call_later(wait, self._leave_if, session)

    async def follow(self, opening: Awaitable[S], carries: Callable[[], Awaitable[object]]) -> None:
        """Takes the next session, and closes the one before once `carries` says that the next has sound.

        Raises what opening raises: the session before, if there is one, goes on then.
        """
        self._told.clear()
        session = await opening
        before, self.session = self.session, session
        self._leave.clear()
        if self._told & {"", session.relay}:
            # What it was on its way to is being emptied as well.
            self._leave.set()
        if before is not None:
            try:
                await _first_of(carries(), before.ended.wait())
            finally:
                await before.close()

    async def until_over(self) -> None:
        """Returns when the present session has ended, or is to be left. Raises what its handler or microphone did."""
        session = self.session
        assert session is not None
        await _first_of(session.ended.wait(), self._leave.wait(), within=None)
        if session.ended.is_set():
            await self.close()
        if session.failure is not None:
            raise session.failure

    async def close(self) -> None:
        """Ends the present session, if there is one."""
        session, self.session = self.session, None
        if session is not None:
            await session.close()

    def _leave_if(self, session: S) -> None:
        if self.session is session:
            self._leave.set()


async def _first_of(*waits: Awaitable[object], within: float | None = SILENT_SECONDS) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
