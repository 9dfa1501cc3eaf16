"""How a call waits for the service it is for, and when it is tried again: one way for all who ask services."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import grpc

from services.common.errors import PartUnavailable
from services.common.rpc.errors import STATUS_DETAILS, RemoteError

T = TypeVar("T")

REACH_SECONDS = 3.0
"""A part that crashed, or starts beside this one, is back within this."""
MOST_WAITING = 2_000
"""Calls that wait for connections at once; one more is told at once that its service is away."""
# What a call needs to fail for its own reason, rather than because its time is up.
_LAST_WORD_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 0.8
_REACH_POLL_SECONDS = 0.02
_POLL_APART = 50
"""So many wait at that pace; the more there are the longer each pauses, for a crowd that polls holds up all else."""
_LEAST_SECONDS = 0.001


class Reachable(Protocol):
    """A channel, as far as it tells whether it is connected."""

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity: ...


class Timing(Protocol):
    """What passes time."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns later."""
        ...


class LoopTiming:
    """The time of the running loop."""

    def now(self) -> float:
        """The loop's own seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """As asyncio's."""
        await asyncio.sleep(seconds)


class Retries:
    """Carries calls over the moments in which a service is away, within the deadline of each.

    A call that was not sent yet waits for the connection, whatever it changes. One that was sent and broke is tried
    again, after pauses that grow and are never the same for two callers, only where it may be repeated.
    """

    def __init__(
        self,
        *,
        waits: bool = True,
        most_tries: int | None = None,
        most_waiting: int = MOST_WAITING,
        is_away: Callable[[grpc.aio.AioRpcError], bool] | None = None,
        timing: Timing | None = None,
    ) -> None:
        """`waits`: for a connection, before a call is sent. `is_away` tells of a failure whether trying again helps."""
        self._waits = waits
        self._most_tries = most_tries
        self._most_waiting = most_waiting
        self._is_away = is_away or is_unavailable
        self._timing = timing or LoopTiming()
        self._waiting = 0

    async def run(
        self, channel: Reachable, once: Callable[[float], Awaitable[T]], *, seconds: float, may_repeat: bool
    ) -> T:
        """What `once(seconds left)` gives, within `seconds`.

        Raises what it raised last, or `unreachable` when the channel was not connected in time or too many wait.
        """
        started = self._timing.now()
        ends_at = started + seconds
        give_up_at = min(started + REACH_SECONDS, ends_at)
        broke_at: float | None = None
        pause = _FIRST_PAUSE_SECONDS
        left = (self._most_tries or 1_000) if may_repeat else 1
        while True:
            left -= 1
            if self._waits:
                await self._reach(channel, min(give_up_at, ends_at - _LAST_WORD_SECONDS))
            try:
                return await once(max(_LEAST_SECONDS, ends_at - self._timing.now()))
            except grpc.aio.AioRpcError as error:
                broke_at = self._timing.now() if broke_at is None else broke_at
                # One that was asked for longer before it was found silent has as long to come back, or another copy to
                # take its place.
                give_up_at = min(broke_at + REACH_SECONDS, ends_at)
                wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 (jitter)
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
                if not left or not self._is_away(error) or self._timing.now() + wait >= give_up_at:
                    raise
            await self._timing.sleep(wait)

    async def _reach(self, channel: Reachable, by: float) -> None:
        """Returns when the channel is connected.

        Polled, because a watch on a channel's state that is given up stays behind in the library.
        """
        if _is_connected(channel):
            return
        if self._waiting >= self._most_waiting:
            raise unreachable()
        self._waiting += 1
        try:
            while not _is_connected(channel):
                pause = _REACH_POLL_SECONDS * max(1.0, self._waiting / _POLL_APART)
                left = by - self._timing.now()
                if left <= _REACH_POLL_SECONDS:
                    raise unreachable()
                await self._timing.sleep(min(pause, left))
        finally:
            self._waiting -= 1


def is_unavailable(error: grpc.aio.AioRpcError) -> bool:
    """Whether the service was away, or said that it cannot answer just now."""
    return error.code() is grpc.StatusCode.UNAVAILABLE


def is_cut_off(error: grpc.aio.AioRpcError) -> bool:
    """Whether the connection failed: a service that answers says so with details."""
    return is_unavailable(error) and all(key != STATUS_DETAILS for key, _ in error.trailing_metadata() or ())


def unreachable() -> RemoteError:
    """What is told of a service that was not reached: the library's own words name addresses, nobody's business."""
    return RemoteError(
        "unavailable",
        PartUnavailable.reason,
        "a part of the server is not reachable just now",
        retry_after_seconds=1.0,
    )


def fell_silent() -> RemoteError:
    """What is told of a service that was asked and gave no answer, where asking again might do it twice."""
    return RemoteError(
        "unavailable",
        PartUnavailable.reason,
        "the part of the server that was asked fell silent: look whether it was done before you try again",
        metadata={"outcome": "unknown"},
    )


def _is_connected(channel: Reachable) -> bool:
    return channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY
