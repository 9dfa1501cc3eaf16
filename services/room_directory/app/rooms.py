"""Rooms as a whole: starting, finding, showing, changing and ending them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.clock import Clock
from services.common.errors import Conflict
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.epochs import Epochs
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRoom, LiveRooms
from services.room_directory.app.people import People
from services.room_directory.app.ports import Act, Ids, Limits, RoomStore
from services.room_directory.app.previews import Live
from services.room_directory.domain.entry import check_entry
from services.room_directory.domain.errors import (
    Blocked,
    NotInRoom,
    Removed,
    RoomClosed,
    RoomNotFound,
    TooManyRooms,
)
from services.room_directory.domain.events import RoomCard
from services.room_directory.domain.moderation import RoomEdit, end_room, go_live, update_room
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room, create_room
from services.room_directory.domain.seats import HandMode, LineOrder, RoomState, Seat, Visibility

_CONFIGURED_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoom:
    """What somebody wants to start."""

    request_id: str
    title: str
    description: str
    language: str
    visibility: Visibility
    hand_mode: HandMode
    line_order: LineOrder = LineOrder.ARRIVAL
    languages: tuple[str, ...] = ()
    """Whose booths are open from the start."""
    rehearsal: bool = False


class RoomCases:
    """Use cases about whole rooms."""

    def __init__(
        self,
        rooms: LiveRooms,
        store: RoomStore,
        fleet: Fleet,
        people: People,
        blocks: Blocks,
        *,
        ids: Ids,
        clock: Clock,
        limits: Limits,
        hall: Iterable[Live] | None = None,
    ) -> None:
        """`hall` has other copies' rooms too."""
        self._hall: Iterable[Live] = hall or rooms
        self._rooms = rooms
        self._store = store
        self._fleet = fleet
        self._people = people
        self._blocks = blocks
        self._ids = ids
        self._clock = clock
        self._limits = limits
        self._creating = asyncio.Lock()

    async def create_room(self, actor: Actor, new: NewRoom) -> Room:
        """Starts a room, or returns the one that this request started. Raises TitleInvalid, TooManyRooms, NoRelay."""
        # One at a time: the count of rooms led must hold under a race.
        async with self._creating:
            made = await self._made_before(actor, new.request_id)
            if made is not None:
                return made
            led = sum(1 for live in self._hall if live.room.is_moderator(actor.user_id))
            if led >= self._limits.rooms_led:
                raise TooManyRooms(metadata={"limit": str(self._limits.rooms_led)})
            room, epochs = self._new_room(actor, new)
            try:
                await self._rooms.add(room, epochs, Act(actor.user_id, "create_room", room.room_id))
            except Conflict:
                made = await self._made_before(actor, new.request_id)
                if made is None:
                    raise
                return made
        # The stage should be there when the creator knocks; if its relay is slow, the permit says enough to wait.
        await self._fleet.ready(room.home_relay_id, _CONFIGURED_SECONDS)
        return room

    def _new_room(self, actor: Actor, new: NewRoom) -> tuple[Room, Epochs]:
        epochs, room_id = Epochs.first(), self._ids.new_id()
        room = create_room(
            room_id=room_id,
            request_id=new.request_id,
            creator_id=actor.user_id,
            title=new.title,
            description=new.description,
            language=new.language,
            visibility=new.visibility,
            hand_mode=new.hand_mode,
            line_order=new.line_order,
            languages=new.languages,
            rehearsal=new.rehearsal,
            room_key=self._ids.new_id(),
            home_relay_id=self._fleet.promises.new_home(room_id, actor.user_id, actor.region),
            member=self._ids.member(),
            epoch=epochs.take(),
            proof=actor.proof,
            rules=self._rooms.rules,
            now=self._clock.now(),
        )
        return room, epochs

    async def _made_before(self, actor: Actor, request_id: str) -> Room | None:
        room_id = await self._store.find_request(actor.user_id, request_id)
        if room_id is None:
            return None
        live = self._rooms.get(room_id)
        return live.room if live is not None else await self._store.load(room_id)

    async def list_rooms(self, actor: Actor, *, offset: int, limit: int) -> tuple[list[RoomCard], int | None]:
        """Rooms the caller may enter: led ones first, then the busiest; and where the next page begins, or None."""
        visible = [live for live in self._hall if self._may_enter(live.room, actor)]
        visible.sort(key=lambda live: _rank(live.room))
        page = [replace(live.room.card(), web_listener_count=live.web) for live in visible[offset : offset + limit]]
        await self._people.get(person for card in page for person in people_of(card))
        more = offset + limit
        return page, more if more < len(visible) else None

    def _may_enter(self, room: Room, actor: Actor) -> bool:
        try:
            check_entry(room, actor, "", blocked=self._blocks.keep_out(room, actor.user_id))
        except (Removed, Blocked, RoomClosed):
            return False
        return True

    async def get_room(self, actor: Actor, room_id: str, key: str) -> LiveRoom:
        """A room the caller may see. Raises RoomNotFound, RoomEnded, RoomClosed, Removed, Blocked."""
        live = await self._rooms.find(room_id)
        if not actor.operator:
            check_entry(live.room, actor, key, blocked=self._blocks.keep_out(live.room, actor.user_id))
        await self.learn_people(live.room)
        return live

    async def get_snapshot(self, room_id: str) -> LiveRoom:
        """A room for the gateway's event ring, its queue included. Raises RoomNotFound, RoomEnded."""
        live = await self._rooms.find(room_id)
        await self.learn_people(live.room)
        await self._people.get(live.room.hands)
        return live

    async def authorize_watch(
        self, room_id: str, user_ids: Iterable[str]
    ) -> tuple[Room, list[Seat | Removed | NotInRoom]]:
        """The seats with which people may watch, or why one may not. Raises RoomNotFound, RoomEnded."""
        room = (await self._rooms.find(room_id)).room
        return room, [self._watching(room, user_id) for user_id in user_ids]

    @staticmethod
    def _watching(room: Room, user_id: str) -> Seat | Removed | NotInRoom:
        if user_id in room.removed:
            return Removed()
        return room.seats.get(user_id) or NotInRoom()

    async def update_room(self, actor: Actor, room_id: str, edit: RoomEdit) -> tuple[Room, bool]:
        """Changes a room's settings; and whether that could not be written. Raises NotAllowed, TitleInvalid.

        A room is closed to the web also while nothing can be written.
        """
        now, new_key = self._clock.now(), self._ids.new_id()
        detail = {} if edit.open_to_web is None else {"open_to_web": "yes" if edit.open_to_web else "no"}
        changed = await self._rooms.change(
            room_id,
            Act(actor.user_id, "update_room", room_id, detail, goes_on=edit.only_closes_to_web),
            lambda room, _: update_room(room, actor, edit, new_key=new_key, now=now),
        )
        return changed.room, changed.unsaved

    async def go_live(self, actor: Actor, room_id: str) -> Room:
        """Ends a rehearsal; relays let the audience hear when it returns. Raises NotAllowed."""
        now, act = self._clock.now(), Act(actor.user_id, "go_live", room_id)
        changed = await self._rooms.enforce(room_id, act, lambda room, _: go_live(room, actor, now))
        return changed.room

    async def end_room(self, actor: Actor, room_id: str) -> bool:
        """Ends a room for all, once; says whether that could not be written. Raises NotAllowed, RoomNotFound."""
        if self._rooms.get(room_id) is None:
            if not await self._rooms.is_over(room_id):
                await self._rooms.find(room_id)
                raise RoomNotFound
            return self._rooms.waits_to_end(room_id)
        now = self._clock.now()
        act = Act(actor.user_id, "end_room", room_id, goes_on=True)
        return (await self._rooms.change(room_id, act, lambda room, _: end_room(room, actor, now))).unsaved

    async def learn_people(self, room: Room) -> None:
        """Fetches the profiles a snapshot shows, where they are not known."""
        await self._people.get([*room.stage, *room.offers, *room.captioners, room.creator_id])


def _rank(room: Room) -> tuple[bool, int, datetime, str]:
    return room.state is not RoomState.LIVE, -room.people_count(), room.started_at, room.room_id


def people_of(card: RoomCard) -> list[str]:
    """Whose profiles a card shows."""
    return [card.creator_id, *(seat.user_id for seat in card.faces)]
