"""Takes over rooms that this copy owns now: from rows, and from what relays carry of them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.room_directory.app.epochs import Epochs
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRoom, LiveRooms, TakeEpoch
from services.room_directory.app.ownership.ports import GivenSeat, Rows
from services.room_directory.app.ownership.told import Told
from services.room_directory.app.ports import Act, RelayClient
from services.room_directory.domain.adoption import adopt_given, adopt_sessions, restore_seats
from services.room_directory.domain.presence import SessionNews, review
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Seat

_LIST_SECONDS = 1.0
_AT_ONCE = 8
"""Rooms that are written at a time."""

_log = get_logger("ownership")


class Arrivals:
    """Rooms on their way here."""

    def __init__(self, rooms: LiveRooms, store: Rows, fleet: Fleet, told: Told, clock: Clock) -> None:
        self._rooms = rooms
        self._store = store
        self._fleet = fleet
        self._told = told
        self.clock = clock

    async def take(self, terms: Mapping[str, int], is_here: Callable[[str], None]) -> Sequence[str]:
        """Takes over rooms, each under its term, and tells of each that is here; returns those that are over."""
        found = await self._store.load_some(list(terms))
        # Of a newer term another copy has it by now.
        stored = [(room, ceiling) for room, ceiling in found if room.term == terms[room.room_id]]
        sessions = await self._carried({room.room_id for room, _ in stored})
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def take(room: Room, ceiling: int) -> None:
            try:
                async with at_once:
                    await self._take(room, ceiling, sessions.get(room.room_id, {}))
            except DomainError as error:
                _log.warning("a room could not be taken over yet", room_id=room.room_id, reason=error.reason)
            else:
                is_here(room.room_id)

        await asyncio.gather(*(take(room, ceiling) for room, ceiling in stored))
        here = {room.room_id for room, _ in found}
        return [room_id for room_id in terms if room_id not in here]

    def are_here(self, room_ids: set[str]) -> bool:
        """Whether there are any, and all of them came."""
        return bool(room_ids) and all(self._rooms.get(room_id) is not None for room_id in room_ids)

    async def seat(self, given: Sequence[GivenSeat]) -> None:
        """Seats those whom the owner before had in rooms that came here, as far as neither rows nor relays told."""
        by_room: defaultdict[str, list[Seat]] = defaultdict(list)
        for room_id, seat in given:
            by_room[room_id].append(seat)
        now = self.clock.now()
        for room_id, seats in by_room.items():

            def decide(room: Room, _: TakeEpoch, seats: list[Seat] = seats) -> None:
                for seat in seats:
                    adopt_given(room, seat, self._told.has_ended, now)

            if self._rooms.get(room_id) is not None:
                act = Act("room_directory", "take_seats", room_id, goes_on=True)
                await self._rooms.change(room_id, act, decide)

    async def _carried(self, room_ids: set[str]) -> dict[str, dict[str, list[SessionNews]]]:
        """By room, what each relay that answers now carries of it; another one's is adopted once it answers."""
        found: defaultdict[str, dict[str, list[SessionNews]]] = defaultdict(dict)
        relays = self._fleet.reachable() if room_ids else {}
        lists = await asyncio.gather(*(self._listed(relay_id, client) for relay_id, client in relays.items()))
        for relay_id, sessions in zip(relays, lists, strict=True):
            for room_id in room_ids & sessions.keys():
                found[room_id][relay_id] = sessions[room_id]
        return found

    async def _listed(self, relay_id: str, client: RelayClient) -> dict[str, list[SessionNews]]:
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                return await client.list_sessions()
        except (DomainError, TimeoutError) as error:
            _log.warning("cannot list a relay's sessions yet", relay_id=relay_id, error=str(error))
            self._fleet.adopt_again(relay_id)
            return {}

    async def _take(self, room: Room, ceiling: int, carried: Mapping[str, list[SessionNews]]) -> None:
        now = self.clock.now()
        restore_seats(room, now)
        live = LiveRoom(room, Epochs.after_restart(ceiling))
        live.relays |= {room.home_relay_id, *carried}

        def decide(draft: Room, take_epoch: TakeEpoch) -> None:
            for news in carried.values():
                adopt_sessions(draft, news, self._told.has_ended, now)
            self._told.make_up(draft, take_epoch, now)
            review(draft, now)

        act = Act("room_directory", "take_over_room", room.room_id, {"term": str(room.term)}, goes_on=True)
        await self._rooms.take(live, act, decide)
        _log.info("room taken over", room_id=room.room_id, term=room.term, seats=len(live.room.seats))
