"""Writes rooms; what takes effect while the database takes nothing is kept, and written once it does."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from services.common.clock import Clock
from services.common.errors import Conflict, StorageUnavailable
from services.common.sight.log import get_logger
from services.room_directory.app.ports import Deed, RoomStore
from services.room_directory.domain.room import Room

MOST_DEEDS = 500
"""Acts of one room that wait for their place in the audit; beyond that the oldest give way, and their effect stays."""
_TRY_AGAIN_SECONDS = 1.0
_WRITE_SECONDS = 3.0

_log = get_logger("rooms")


class Written(Protocol):
    """What is written of a live room, and kept beside it while that cannot be done."""

    room: Room
    lock: asyncio.Lock
    saved: Room | None
    """What rows say, while changes wait to be written."""
    deeds: list[Deed]


class Writer:
    """The one way of rooms into their store.

    While the store takes nothing, an act that must not wait is kept beside its room: what rows say (`saved`) and what
    was done since (`deeds`). Tries are a second apart, so that nobody who mutes waits for a database that is away.
    """

    def __init__(self, store: RoomStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._try_at = 0.0
        self._ended: dict[str, Written] = {}
        """Rooms that are over here and not yet in rows."""

    def has_ended(self, room_id: str) -> bool:
        """Whether a room is over although rows do not say so yet."""
        return room_id in self._ended

    def ended(self, room_id: str) -> Room | None:
        """A room that is over although rows do not say so yet."""
        live = self._ended.get(room_id)
        return None if live is None else live.room

    async def write(self, live: Written, draft: Room, done: Sequence[Deed]) -> bool:
        """Writes a draft with all that waits; False when it is kept for later instead.

        Raises Conflict, and StorageUnavailable for acts that are nothing unless they are written.
        """
        base, goes_on = live.saved or live.room, all(deed.act.goes_on for deed in done)
        draft.version = base.version + 1
        deeds = [*live.deeds, *done]
        if goes_on and self._clock.monotonic() < self._try_at:
            saved = False
        else:
            try:
                await self._save(base, draft, deeds)
            except StorageUnavailable:
                if not goes_on:
                    raise
                saved = False
            else:
                saved = True
        live.saved, live.deeds = (None, []) if saved else (base, deeds[-MOST_DEEDS:])
        return saved

    def over(self, live: Written) -> None:
        """A room is over: if rows do not say so yet, they will."""
        if live.saved is not None:
            self._ended[live.room.room_id] = live

    async def write_waiting(self, rooms: Iterable[Written]) -> None:
        """Writes what waits, if the store takes it; call it every second."""
        for live in [*rooms, *self._ended.values()]:
            if live.saved is None:
                continue
            async with live.lock:
                try:
                    await self._write_waiting(live)
                except StorageUnavailable:
                    return

    async def _write_waiting(self, live: Written) -> None:
        if live.saved is None:
            return
        room_id, acts = live.room.room_id, len(live.deeds)
        try:
            await self._save(live.saved, live.room, live.deeds)
        except Conflict:
            _log.error("somebody else changed a room whose changes waited: they hold until a restart", room_id=room_id)
        else:
            _log.info("what waited was written", room_id=room_id, acts=acts)
        live.saved, live.deeds = None, []
        self._ended.pop(room_id, None)

    async def _save(self, base: Room, room: Room, deeds: list[Deed]) -> None:
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._store.save(base, room, deeds)
        except (StorageUnavailable, TimeoutError) as error:
            self._try_at = self._clock.monotonic() + _TRY_AGAIN_SECONDS
            raise StorageUnavailable("the room could not be written", retry_after_seconds=5.0) from error
