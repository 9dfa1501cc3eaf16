"""What ownership needs of the world outside."""

from collections.abc import Sequence
from typing import Protocol

from services.room_directory.domain.leases import Answer, CopyState, Lease
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Seat

GivenSeat = tuple[str, Seat]
"""A seat, and the room that it is in."""


class Rows(Protocol):
    """Rooms as the database has them."""

    async def load_some(self, room_ids: Sequence[str]) -> list[tuple[Room, int]]:
        """Those of them that are not over, each with its epoch ceiling."""
        ...


class LeaseStore(Protocol):
    """The rows that say which copy owns which room; each method is one transaction. They raise StorageUnavailable."""

    async def round(self, copy: CopyState, *, over: Sequence[str], take_from: Sequence[str]) -> Answer:
        """Renews every lease of the copy and deletes those of rooms that are `over`; says how rows stand then.

        Unless it is leaving it takes over every room whose lease has lapsed or that has none, and those of the owners
        in `take_from`, which are known to be gone; each under the next term.
        """
        ...

    async def leave(self, copy_id: str) -> None:
        """What the copy still has lapses now, and it is no copy any more."""
        ...

    async def copies(self) -> list[CopyState]:
        """All that ran lately, whether their time is over or not."""
        ...

    async def find(self, room_id: str) -> Lease | None:
        """One room's row."""
        ...
