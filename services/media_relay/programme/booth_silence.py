"""Asks the packet core who speaks on stages with booths, for what is not heard from these."""

import asyncio
from collections.abc import Callable, Sequence

from services.common.clock import Clock
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.relay import Relay
from services.media_relay.programme.room_media import RoomMediaTable

LOOK_SECONDS = 1.0


class BoothSilence:
    """Looks at each stage here that has booths."""

    def __init__(
        self, relay: Relay, rooms: RoomMediaTable, speaking: Callable[[int], Sequence[int]], clock: Clock
    ) -> None:
        """`speaking` gives the member numbers of those who speak on a stage; it may take a moment."""
        self._relay = relay
        self._rooms = rooms
        self._speaking = speaking
        self._clock = clock

    async def look(self) -> None:
        """Notes who speaks; call it every second."""
        relay = self._relay
        rooms = [room_id for room_id in relay.sessions.rooms() if relay.rooms.booths(room_id)]
        relay.silences.keep(rooms)
        for room_id in rooms:
            stage = self._rooms.stage_here(room_id)
            if stage is None:
                continue
            speaking = set(await asyncio.to_thread(self._speaking, stage))
            # As it is by now: rooms change while the core is asked.
            spoken = {
                session.permit.member: session.permit.booth
                for session in relay.sessions.of_room(room_id)
                if session.kind is Kind.STAGE and not session.silenced and session.permit.member in speaking
            }
            leading = {language: booth.active_member for language, booth in relay.rooms.booths(room_id).items()}
            relay.silences.look(room_id, leading, spoken, self._clock.monotonic())
