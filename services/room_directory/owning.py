"""What makes this process one of several copies: its leases, the rooms of others, and what copies tell each other."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from services.common.clock import Clock
from services.common.errors import DomainError, StorageUnavailable
from services.common.ids import new_id
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.store.database import Database
from services.common.tasks import Background
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRooms
from services.room_directory.app.ownership.arrivals import Arrivals
from services.room_directory.app.ownership.hall import Hall
from services.room_directory.app.ownership.keeper import LOOK_SECONDS, Ownership
from services.room_directory.app.ownership.told import Told
from services.room_directory.app.ports import Ledger
from services.room_directory.clients import PeerClients
from services.room_directory.domain.adoption import seats_to_give
from services.room_directory.domain.left_places import PlaceLeft
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Seat
from services.room_directory.metrics import show_ownership
from services.room_directory.storage.leases import SqlLeases
from services.room_directory.storage.rooms import RoomMade, SqlRoomStore

HALL_SECONDS = 1.0
BLOCKS_SECONDS = 30.0
"""What a copy was not told of blocks, because it was not reached, it reads."""
_ANSWER_SECONDS = 1.0
_log = get_logger("ownership")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The other copies, as far as they run."""

    ownership: Ownership | None
    peers: PeerClients

    async def note_block(self, blocker_id: str, blocked_id: str, *, stands: bool) -> list[tuple[str, str]]:
        """Tells all of them that answer soon; returns id and title of each room of theirs that the block is about."""
        addresses = [copy.address for copy in self.ownership.others()] if self.ownership is not None else []

        async def tell(address: str) -> Sequence[tuple[str, str]]:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    return await self.peers.note_block(address, blocker_id, blocked_id, stands)
            except (DomainError, TimeoutError) as error:
                _log.warning("a copy was not told of a block: it reads it", copy=address, error=str(error))
                return ()

        found = await asyncio.gather(*map(tell, addresses))
        return [room for rooms in found for room in rooms]

    async def note_places_left(self, places: list[PlaceLeft]) -> None:
        """Tells all of them that answer soon who left lines of this copy."""
        addresses = [copy.address for copy in self.ownership.others()] if self.ownership is not None else []

        async def tell(address: str) -> None:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self.peers.note_places_left(address, places)
            except (DomainError, TimeoutError) as error:
                _log.warning("a copy was not told who left lines", copy=address, error=str(error))

        await asyncio.gather(*map(tell, addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Owning:
    """Of which rooms are this copy's, and of those that are not."""

    ownership: Ownership | None
    """None where one copy is all there can be: a SQLite file has one writer."""
    hall: Hall
    told: Told
    peers: PeerClients
    neighbours: Neighbours
    arrivals: Arrivals

    async def leave(self) -> None:
        """Before the server drains: this copy's rooms are other copies' at once."""
        if self.ownership is not None:
            with suppress(StorageUnavailable):
                await self.ownership.leave(self.peers.take_rooms)


def leases_of(database: Database, clock: Clock, metrics: Metrics) -> tuple[Ownership | None, RoomMade | None]:
    """Who owns which room, and what writes the lease of a new one; nothing where there is one copy."""
    if database.is_sqlite:
        return None, None
    leases = SqlLeases(database)
    ownership = Ownership(leases, new_id(), clock)
    show_ownership(metrics, ownership)

    async def made(session: AsyncSession, room: Room) -> None:
        await leases.made(session, room, ownership.me)

    return ownership, made


def owning(
    ownership: Ownership | None,
    rooms: LiveRooms,
    store: SqlRoomStore,
    fleet: Fleet,
    *,
    told: Told,
    peers: PeerClients,
    clock: Clock,
) -> Owning:
    """Wires leases to the rooms they are about."""
    arrivals = Arrivals(rooms, store, fleet, told, clock)

    def seats_of(room_id: str) -> Sequence[Seat]:
        live = rooms.get(room_id)
        return () if live is None else seats_to_give(live.room)

    if ownership is not None:
        ownership.wire(arrivals.take, rooms.lose, rooms.lives, seats_of)
    hall = Hall(rooms, store, None if ownership is None else ownership.elsewhere)
    neighbours = Neighbours(ownership, peers)
    return Owning(ownership=ownership, hall=hall, told=told, peers=peers, neighbours=neighbours, arrivals=arrivals)


async def own(one: Owning, blocks: Blocks, ledger: Ledger, background: Background) -> None:
    """Takes the rooms that nobody owns, once others can reach this copy, and begins to tell them and hear of theirs."""
    ownership = one.ownership
    if ownership is None:
        return
    with suppress(StorageUnavailable):
        await ownership.start()

    async def read_blocks() -> None:
        blocks.replace(await ledger.blocks())

    background.every("leases", LOOK_SECONDS, ownership.round)
    background.every("rooms elsewhere", HALL_SECONDS, one.hall.refresh)
    background.every("blocks elsewhere", BLOCKS_SECONDS, read_blocks)
