"""What goes on now, as far as somebody with an invitation may know before they are in."""

from collections.abc import Iterable
from typing import Protocol

from services.common.errors import PartUnavailable
from services.room_directory.domain.events import RoomCard
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState, Visibility

MOST_SHOWN = 3


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


class Previews:
    """A look through the door: titles and numbers of open rooms, for holders of an invitation only."""

    def __init__(self, rooms: Iterable[Live], invitations: Invitations | None) -> None:
        self._rooms = rooms
        self._invitations = invitations

    async def preview(self, code: str, network: str) -> list[RoomCard]:
        """The busiest open rooms. Raises what invite refuses, or PartUnavailable where invite is not known."""
        if self._invitations is None:
            raise PartUnavailable("invite is not set up, so no code can be checked")
        await self._invitations.check_code(code, network)
        live = [one.room for one in self._rooms]
        shown = [room for room in live if room.visibility is Visibility.OPEN and room.state is RoomState.LIVE]
        shown.sort(key=lambda room: (-room.listener_count(), room.started_at, room.room_id))
        return [room.card() for room in shown[:MOST_SHOWN]]
