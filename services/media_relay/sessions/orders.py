"""Orders of the directory: seats end, move and are muted; rooms find their home, close and are over."""

from collections.abc import Iterable

from services.common.clock import Clock
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.rooms import RoomPart
from services.media_relay.domain.seats import SeatChange
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ports import PacketCore


class Orders:
    """Carries orders out; they are in force when a call returns."""

    def __init__(self, relay: Relay, core: PacketCore, rooms: RoomMediaTable, effects: Effects, clock: Clock) -> None:
        self._relay = relay
        self._core = core
        self._rooms = rooms
        self._effects = effects
        self._clock = clock

    async def apply_seat_changes(self, changes: Iterable[SeatChange]) -> None:
        """Carries out changes of seats, in order."""
        now = self._clock.monotonic()
        for change in changes:
            self._effects.carry_out(self._relay.apply(change, now))
        await self._core.settled()

    async def configure_rooms(self, parts: Iterable[RoomPart]) -> None:
        """Takes the relay's parts in rooms."""
        now = self._clock.monotonic()
        for part in parts:
            changed, events = self._relay.configure(part, now)
            self._effects.carry_out(events)
            if changed and not part.live:
                self._rooms.closed(part.room_id)
            elif changed:
                self._rooms.moved(part.room_id)
                self._rooms.mix(part.room_id)
                self._rooms.follow(part.room_id)
        await self._core.settled()
