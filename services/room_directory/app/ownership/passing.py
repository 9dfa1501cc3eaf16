"""Reports of relays and gateways are about many rooms: what is about rooms of other copies is passed on to them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from services.room_directory.app.live import LiveRooms
from services.room_directory.domain.errors import RoomMoves

C = TypeVar("C")


class Owners(Protocol):
    """Where rooms of other copies are."""

    async def owner_of(self, room_id: str) -> str | None:
        """The address of the copy that owns a room; empty while none does, None for no room."""
        ...


class Passing:
    """Sorts what is reported by who decides about it."""

    def __init__(self, rooms: LiveRooms, owners: Owners | None) -> None:
        """Without `owners` every room is here."""
        self._rooms = rooms
        self._owners = owners

    async def sort(
        self,
        changes: Sequence[C],
        room_of: Callable[[C], str],
        pass_on: Callable[[str, list[C]], Awaitable[None]],
        *,
        passed_on: bool,
    ) -> list[C]:
        """Those about rooms that are here, or nowhere; the others were given to `pass_on`, by address, and arrived.

        What another copy passed on is not passed on again: rooms that went on meanwhile are refused with RoomMoves, as
        are those that nobody owns just now, and whoever reports does so again.
        """
        if self._owners is None:
            return list(changes)
        owners: dict[str, str | None] = {}
        for room_id in dict.fromkeys(map(room_of, changes)):
            owners[room_id] = None if self._rooms.lives(room_id) else await self._owners.owner_of(room_id)
        elsewhere: defaultdict[str, list[C]] = defaultdict(list)
        for change in changes:
            address = owners[room_of(change)]
            if address is not None:
                elsewhere[address].append(change)
        if elsewhere and (passed_on or "" in elsewhere):
            raise RoomMoves
        for address, theirs in elsewhere.items():
            await pass_on(address, theirs)
        return [change for change in changes if owners[room_of(change)] is None]
