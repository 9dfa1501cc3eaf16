"""Every live room, for the hallway: those here, and other copies' as rows have them and their pulses count them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from services.room_directory.app.live import LiveRooms
from services.room_directory.app.ownership.ports import Rows
from services.room_directory.app.previews import Live
from services.room_directory.domain.leases import Lease
from services.room_directory.domain.room import Room

_MOST_HEARD = 20_000


@dataclass(slots=True, kw_only=True)
class RoomElsewhere(Room):
    """Another copy's room: who sits in it is known there alone, how many listen is told with its pulses."""

    heard: int = 0

    def listener_count(self) -> int:
        """As its owner told last."""
        return self.heard

    def people_count(self) -> int:
        """Listeners as told, and those on stage as rows have them."""
        return self.heard + sum(seat.connected for seat in self.stage.values())


@dataclass(slots=True)
class Shown:
    """A room of another copy."""

    room: RoomElsewhere
    web: int = 0
    """How many listen from the web without a seat, as its owner told last."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The last pulse of a room."""

    revision: int
    listeners: int
    web: int


class Hall:
    """All rooms; decided about are only those that are here."""

    def __init__(self, rooms: LiveRooms, rows: Rows, elsewhere: Callable[[], list[Lease]] | None) -> None:
        """Without `elsewhere` every room is here."""
        self._rooms = rooms
        self._rows = rows
        self._leases = elsewhere
        self._others: dict[str, Shown] = {}
        self._pulses: dict[str, Heard] = {}

    def __iter__(self) -> Iterator[Live]:
        yield from self._rooms
        yield from (shown for room_id, shown in list(self._others.items()) if self._rooms.get(room_id) is None)

    def hear(self, room_id: str, revision: int, listeners: int, web: int) -> None:
        """A pulse of any room."""
        if self._rooms.get(room_id) is None and (room_id in self._pulses or len(self._pulses) < _MOST_HEARD):
            self._pulses[room_id] = Heard(revision, listeners, web)

    async def refresh(self) -> None:
        """Reads the rooms of other copies whose rows may have changed; call it each second."""
        leases = self._leases() if self._leases is not None else []
        theirs = {lease.room_id for lease in leases}
        self._pulses = {room_id: heard for room_id, heard in self._pulses.items() if room_id in theirs}
        self._others = {room_id: shown for room_id, shown in self._others.items() if room_id in theirs}
        changed = [room_id for room_id in theirs if self._is_old(room_id)]
        for room, _ in await self._rows.load_some(changed) if changed else ():
            values = {field.name: getattr(room, field.name) for field in fields(Room)}
            self._others[room.room_id] = Shown(RoomElsewhere(**values))
        for room_id, shown in self._others.items():
            heard = self._pulses.get(room_id)
            shown.room.heard, shown.web = (heard.listeners, heard.web) if heard is not None else (0, 0)

    def _is_old(self, room_id: str) -> bool:
        shown, heard = self._others.get(room_id), self._pulses.get(room_id)
        # Without pulses, as while the bus is away, only rows tell.
        return shown is None or heard is None or shown.room.revision != heard.revision
