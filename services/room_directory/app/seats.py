"""Taking a seat, giving it up, and what opens its media session."""

from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.common.errors import DomainError
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import Changed, LiveRoom, LiveRooms, TakeEpoch
from services.room_directory.app.permits import Permit, Permits, Placed
from services.room_directory.app.ports import Act, Counters
from services.room_directory.domain.entry import check_media, leave_room, take_seat
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind


@dataclass(frozen=True, slots=True)
class Seated:
    """The caller's place after a call, and a permit when one was asked for."""

    live: LiveRoom
    room: Room
    permit: Permit | None


class SeatCases:
    """Use cases about the caller's own seat."""

    def __init__(
        self,
        rooms: LiveRooms,
        fleet: Fleet,
        permits: Permits,
        blocks: Blocks,
        *,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._rooms = rooms
        self._fleet = fleet
        self._permits = permits
        self._blocks = blocks
        self._clock = clock
        self._counters = counters

    async def join_room(self, actor: Actor, room_id: str, key: str, *, without_permit: bool) -> Seated:
        """Seats the caller. The way of a listener writes no row and asks no other service.

        Raises RoomNotFound, RoomEnded, RoomClosed, RoomFull, Removed, Blocked, NoRelay.
        """
        live = await self._rooms.find(room_id)
        now = self._clock.now()

        def decide(room: Room, take_epoch: TakeEpoch) -> Placed | None:
            blocked = self._blocks.keep_out(room, actor.user_id)
            take_seat(room, actor, key, blocked=blocked, epoch=take_epoch(), now=now)
            return None if without_permit else self._place(live, room, actor.user_id)

        try:
            changed = await self._rooms.change(room_id, Act(actor.user_id, "join_room", room_id, goes_on=True), decide)
        except DomainError as error:
            self._counters.joined(error.reason.lower(), actor.user_id)
            raise
        self._counters.joined("seated", actor.user_id)
        if changed.result is None:
            # The seat has a new epoch: a permit of before opens nothing.
            self._fleet.release(room_id, actor.user_id)
        return self._seated(changed, actor)

    async def leave_room(self, actor: Actor, room_id: str, epoch: int) -> None:
        """Gives the caller's seat up; a room that is over has none. Raises RoomNotFound, SeatTakenOver."""
        live = self._rooms.get(room_id)
        if live is None and await self._rooms.is_over(room_id):
            return
        now = self._clock.now()
        await self._rooms.enforce(
            room_id,
            Act(actor.user_id, "leave_room", room_id, goes_on=True),
            lambda room, take_epoch: leave_room(room, actor, epoch, epoch=take_epoch(), now=now),
        )
        self._fleet.release(room_id, actor.user_id)

    async def get_media_permit(self, actor: Actor, room_id: str, kind: MediaKind) -> Seated:
        """A permit for another media session of the caller's seat.

        Raises RoomNotFound, RoomEnded, NotInRoom, NotOnStage, NotAllowed, NoRelay.
        """
        live = await self._rooms.find(room_id)

        def decide(room: Room, _: TakeEpoch) -> Placed:
            check_media(room, actor, kind)
            return self._place(live, room, actor.user_id)

        changed = await self._rooms.change(
            room_id, Act(actor.user_id, "get_media_permit", room_id, goes_on=True), decide
        )
        return self._seated(changed, actor)

    async def permit_after(self, actor: Actor, live: LiveRoom) -> Seated:
        """A permit for the caller's new role, when a relay can serve it; the change itself stands in any case.

        Raises NoRelay.
        """
        kind = kind_for(live.room, actor.user_id)
        return await self.get_media_permit(actor, live.room.room_id, kind)

    def _place(self, live: LiveRoom, room: Room, user_id: str) -> Placed:
        # A seat alone makes nobody a returning listener: everyone who knocks gets one first.
        returning, permit_id = room.had_sound(user_id, self._clock.now()), self._permits.new_id()
        relay = self._fleet.place(live, user_id, kind_for(room, user_id), permit_id, returning=returning)
        seat = room.seats[user_id]
        if not seat.session_id:
            room.seats[user_id] = replace(seat, relay_id=relay.relay_id)
        return Placed(relay, permit_id, returning)

    def _seated(self, changed: Changed[Placed] | Changed[Placed | None], actor: Actor) -> Seated:
        placed, room = changed.result, changed.room
        if placed is None:
            return Seated(changed.live, room, None)
        seat = room.seats[actor.user_id]
        return Seated(
            changed.live, room, self._permits.issue(room, seat, kind_for(room, actor.user_id), placed, actor.proof)
        )


def kind_for(room: Room, user_id: str) -> MediaKind:
    """The kind of media session that a person's role asks for."""
    return MediaKind.STAGE if user_id in room.stage else MediaKind.AUDIENCE
