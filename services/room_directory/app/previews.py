"""What goes on now, as far as somebody with an invitation may know before they are in."""

from collections.abc import Iterable
from typing import Protocol

from services.common.clock import Clock
from services.common.errors import PartUnavailable
from services.common.limits import TokenBuckets
from services.room_directory.domain.errors import RateLimited, RoomNotFound
from services.room_directory.domain.events import RoomCard
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState, Visibility

MOST_SHOWN = 3
LOOKS_AT_ONCE = 60
"""Rooms that one network may look at at once; it may look at one more each second."""
LOOKS_PER_SECOND = 1.0


class Invitations(Protocol):
    """Whether codes work."""

    async def check_code(self, code: str, network: str) -> None:
        """Raises what invite refuses: a code that does not work, or too many tries."""
        ...


class Live(Protocol):
    """A live room as the directory holds it."""

    @property
    def room(self) -> Room:
        """What it is now."""
        ...

    @property
    def web(self) -> int:
        """How many listened from the web without a seat when that was last counted."""
        ...


class Previews:
    """A look through the door: open rooms only, for holders of an invitation or of a room's own link."""

    def __init__(self, rooms: Iterable[Live], invitations: Invitations | None, clock: Clock) -> None:
        self._rooms = rooms
        self._invitations = invitations
        self._clock = clock
        self._looks = TokenBuckets(LOOKS_AT_ONCE, LOOKS_PER_SECOND)

    async def preview(self, code: str, network: str) -> list[RoomCard]:
        """The busiest open rooms. Raises what invite refuses, or PartUnavailable where invite is not known."""
        if self._invitations is None:
            raise PartUnavailable("invite is not set up, so no code can be checked")
        await self._invitations.check_code(code, network)
        live = [one.room for one in self._rooms]
        shown = [room for room in live if room.visibility is Visibility.OPEN and room.state is RoomState.LIVE]
        shown.sort(key=lambda room: (-room.listener_count(), room.started_at, room.room_id))
        return [room.card() for room in shown[:MOST_SHOWN]]

    def look(self, room_id: str, network: str) -> RoomCard:
        """One open room, by its link, as it is known here. Raises RoomNotFound for any other, and RateLimited."""
        wait = self._looks.take(network, self._clock.monotonic())
        if wait:
            raise RateLimited("rooms are looked at too often from your network", retry_after_seconds=wait)
        for live in self._rooms:
            room = live.room
            if room.room_id == room_id and room.visibility is Visibility.OPEN and room.state is not RoomState.ENDED:
                return room.card()
        raise RoomNotFound
