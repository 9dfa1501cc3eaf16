"""The stage and the programme channel of each room that has sessions here, and how they move with the room's home."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from services.media_relay.domain.permits import Kind
from services.media_relay.domain.rooms import RoomBook
from services.media_relay.domain.sessions import SessionTable

FLOOR = "floor"
"""The channel that carries the talk as it is spoken."""
LINGER_SECONDS = 5.0
"""How long an empty room's media stay, for somebody who reconnects."""
INTEREST_SECONDS = 3.5
"""How long another relay's wish for a room's programme holds without being repeated: three heartbeats."""


class StageCore(Protocol):
    """What is needed of the packet core."""

    def add_stage(self) -> int:
        """A stage without anyone on it."""
        ...

    def remove_stage(self, stage: int, /) -> None:
        """Its members hear nothing more."""
        ...

    def add_channel(self, stage: int | None, /) -> int:
        """A programme fed by a stage here, or by the bridge."""
        ...

    def remove_channel(self, channel: int, /) -> None:
        """Its listeners hear nothing more."""
        ...

    def set_export(self, channel: int, wanted: bool, /) -> None:
        """Whether the bridge gets the programme's frames."""
        ...

    def switch_channel(self, session: int, channel: int, /) -> None:
        """Moves a listener without a break."""
        ...


class Bridge(Protocol):
    """What is needed of the programme bridge; none of these waits."""

    def carry_in(self, room_id: str, channel_name: str, channel: int) -> None:
        """Feeds the channel from the bus."""
        ...

    def carry_out(self, room_id: str, channel_name: str, channel: int) -> None:
        """Puts the channel's frames on the bus."""
        ...

    def stop(self, channel: int) -> None:
        """Carries it no more."""
        ...


@dataclass(slots=True)
class RoomMedia:
    """What one room has in the packet core."""

    room_id: str
    stage: int | None
    """None where the stage is elsewhere."""
    channel: int
    exported: bool = False
    empty_since: float | None = None


class RoomMediaTable:
    """Makes, moves and removes the media of rooms."""

    def __init__(self, core: StageCore, bridge: Bridge, rooms: RoomBook, sessions: SessionTable) -> None:
        self._core = core
        self._bridge = bridge
        self._rooms = rooms
        self._sessions = sessions
        self._media: dict[str, RoomMedia] = {}
        self._wanted_by: dict[str, tuple[frozenset[str], float]] = {}

    def __len__(self) -> int:
        return len(self._media)

    def ensure(self, room_id: str, now: float) -> RoomMedia:
        """The room's media, made when somebody comes."""
        media = self._media.get(room_id)
        if media is None:
            media = self._media[room_id] = self._make(room_id)
            self._export(now)
        media.empty_since = None
        return media

    def moved(self, room_id: str, now: float) -> None:
        """The home of the room's stage may have changed: listeners go over to the new channel without a break."""
        old = self._media.get(room_id)
        if old is None or self._rooms.is_home(room_id) == (old.stage is not None):
            return
        new = self._media[room_id] = self._make(room_id)
        for session in self._sessions.of_room(room_id):
            if session.kind is Kind.AUDIENCE and session.keyed:
                self._core.switch_channel(session.handle, new.channel)
        self._remove(old)
        self._export(now)

    def closed(self, room_id: str) -> None:
        """The room is over."""
        media = self._media.pop(room_id, None)
        if media is not None:
            self._remove(media)

    def note_wanted(self, relay_id: str, room_ids: Iterable[str], now: float) -> None:
        """Another relay said which rooms it carries: the programmes of those at home here go out."""
        self._wanted_by[relay_id] = (frozenset(room_ids), now)
        self._export(now)

    def sweep(self, now: float) -> None:
        """Removes the media of rooms that stayed empty, and stops exports nobody asks for any more."""
        occupied = set(self._sessions.rooms())
        for media in list(self._media.values()):
            if media.room_id in occupied:
                media.empty_since = None
            elif media.empty_since is None:
                media.empty_since = now
            elif now - media.empty_since >= LINGER_SECONDS:
                self.closed(media.room_id)
        for relay_id in [key for key, (_, seen) in self._wanted_by.items() if now - seen > INTEREST_SECONDS]:
            del self._wanted_by[relay_id]
        self._export(now)

    def _export(self, now: float) -> None:
        fresh = [rooms for rooms, seen in self._wanted_by.values() if now - seen <= INTEREST_SECONDS]
        for media in self._media.values():
            if media.stage is None:
                continue
            wanted = any(media.room_id in rooms for rooms in fresh)
            if wanted == media.exported:
                continue
            media.exported = wanted
            if wanted:
                self._bridge.carry_out(media.room_id, FLOOR, media.channel)
            else:
                self._bridge.stop(media.channel)
            self._core.set_export(media.channel, wanted)

    def _make(self, room_id: str) -> RoomMedia:
        if self._rooms.is_home(room_id):
            stage = self._core.add_stage()
            return RoomMedia(room_id, stage, self._core.add_channel(stage))
        channel = self._core.add_channel(None)
        self._bridge.carry_in(room_id, FLOOR, channel)
        return RoomMedia(room_id, None, channel)

    def _remove(self, media: RoomMedia) -> None:
        if media.stage is None or media.exported:
            self._bridge.stop(media.channel)
        self._core.remove_channel(media.channel)
        if media.stage is not None:
            self._core.remove_stage(media.stage)
