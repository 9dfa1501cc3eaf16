"""Which copy of the directory answers for which room: any is asked, and a refusal that names the owner is followed."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import grpc

from services.common.errors import DomainError, PartUnavailable

T = TypeVar("T")
C = TypeVar("C")

ANY = ""
"""The address of the service itself, behind which every copy is."""
FOLLOW_SECONDS = 6.0
"""A room whose owner was killed has another one within five."""
_MOST_TRIES = 30
_MOST_ROOMS = 10_000
_MOST_COPIES = 32
_PAUSE_SECONDS = 0.2
_REACH_SECONDS = 0.3
_REACH_POLL_SECONDS = 0.02
ROOM_MOVES = "ROOM_MOVES"


class CopyGone(Exception):
    """Nobody is at a copy's address: nothing was sent."""


class Channel(Protocol):
    """A channel, as far as it tells whether it is connected."""

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity: ...


class RoomOwners:
    """Where rooms are answered for, as far as a refusal told. Where one copy answers for all, nothing is ever kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    async def follow(
        self,
        room_of: Callable[[], str],
        ask: Callable[[str, float], Awaitable[T]],
        seconds: float,
        *,
        may_repeat: bool = False,
    ) -> T:
        """What `ask(address, seconds left)` answers where the room is owned, ANY being the address of no copy.

        A copy that does not own the room has done nothing: another is asked, as often as rooms move within the time.
        Raises what the owner refuses, and PartUnavailable for a room that nobody owns in time.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        give_up_at = loop.time() + min(seconds, FOLLOW_SECONDS)
        address, told = (self._known.get(room_of(), ANY) if self._known else ANY), set[str]()
        for _ in range(_MOST_TRIES):
            try:
                return await ask(address, max(0.001, ends_at - loop.time()))
            except CopyGone:
                owner = self._forget(room_of(), address)
            except DomainError as error:
                moves = error.reason == ROOM_MOVES
                if not moves and not (address != ANY and error.reason == PartUnavailable.reason):
                    raise
                if not moves and not may_repeat:
                    self._forget(room_of(), address)
                    raise
                owner = error.metadata.get("owner", ANY) if moves else ANY
                self._note(room_of(), owner)
            # A new name is followed at once; one that was heard before may be of somebody who is gone.
            pause = 0.0 if owner != ANY and owner not in told else _PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311
            told.add(owner)
            address = owner
            if loop.time() + pause >= give_up_at:
                break
            await asyncio.sleep(pause)
        raise PartUnavailable("the room has no owner just now", retry_after_seconds=1.0)

    def _note(self, room_id: str, owner: str) -> None:
        if not owner:
            self._known.pop(room_id, None)
            return
        self._known[room_id] = owner
        self._known.move_to_end(room_id)
        if len(self._known) > _MOST_ROOMS:
            self._known.popitem(last=False)

    def _forget(self, room_id: str, address: str) -> str:
        if self._known.get(room_id) == address:
            del self._known[room_id]
        return ANY


class Copies(Generic[C]):
    """What was opened to each copy lately; the least recently used is closed."""

    def __init__(self, make: Callable[[str], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._open: OrderedDict[str, C] = OrderedDict()

    async def at(self, address: str, channel_of: Callable[[C], Channel]) -> C:
        """The one at host:port, connected. Raises CopyGone when it does not answer at once."""
        found = self._open.get(address)
        if found is None:
            found = self._open[address] = self._make(address)
        self._open.move_to_end(address)
        if len(self._open) > _MOST_COPIES:
            await self._close(self._open.popitem(last=False)[1])
        await _reach(channel_of(found))
        return found

    async def close(self) -> None:
        """Closes what is open; calls in progress fail."""
        await asyncio.gather(*(self._close(each) for each in self._open.values()))


async def _reach(channel: Channel) -> None:
    """Returns when the channel is connected. Polled: a watch on its state that is given up stays in the library."""
    loop = asyncio.get_running_loop()
    by = loop.time() + _REACH_SECONDS
    while channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
        if loop.time() >= by:
            raise CopyGone
        await asyncio.sleep(_REACH_POLL_SECONDS)
