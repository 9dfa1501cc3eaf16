"""Taking a seat, giving it up, and what opens its media session."""

from services.common.clock import Clock
from services.common.errors import DomainError
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRooms, TakeEpoch
from services.room_directory.app.placing import Placing, Seated
from services.room_directory.app.ports import Act, Counters
from services.room_directory.domain.entry import check_media, check_wish, leave_room, take_seat
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind


class SeatCases:
    """Use cases about the caller's own seat."""

    def __init__(
        self,
        rooms: LiveRooms,
        fleet: Fleet,
        placing: Placing,
        blocks: Blocks,
        *,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._rooms = rooms
        self._fleet = fleet
        self._placing = placing
        self._blocks = blocks
        self._clock = clock
        self._counters = counters

    async def join_room(
        self, actor: Actor, room_id: str, key: str, *, without_permit: bool, held: int = 0, wish: Wish = AS_SPOKEN
    ) -> Seated:
        """Seats the caller. The way of a listener writes no row and asks no other service.

        `held` seats are held for others.
        Raises RoomNotFound, RoomEnded, RoomClosed, RoomFull, Removed, Blocked, NoRelay, BoothUnknown.
        """
        # A room that is none, or over, is no try to take a seat.
        await self._rooms.find(room_id)
        now = self._clock.now()
        act = Act(actor.user_id, "join_room", room_id, goes_on=True, seats=True)

        def decide(room: Room, take_epoch: TakeEpoch) -> None:
            blocked = self._blocks.keep_out(room, actor.user_id)
            take_seat(room, actor, key, blocked=blocked, epoch=take_epoch(), now=now, held=held)
            check_wish(room, actor.user_id, wish)

        try:
            if without_permit:
                changed = await self._rooms.change(room_id, act, decide)
                seated = Seated(changed.live, changed.room, None)
                # The seat has a new epoch: a permit of before opens nothing.
                self._fleet.promises.release(room_id, actor.user_id)
            else:
                seated = await self._placing.change(actor, room_id, act, decide, only_with_permit=True, wish=wish)
        except DomainError as error:
            self._counters.joined(error.reason.lower(), actor.user_id)
            raise
        self._counters.joined("seated", actor.user_id)
        return seated

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
        self._fleet.promises.release(room_id, actor.user_id)

    async def get_media_permit(self, actor: Actor, room_id: str, kind: MediaKind, wish: Wish = AS_SPOKEN) -> Seated:
        """A permit for another media session of the caller's seat; the audience says what it hears.

        Raises RoomNotFound, RoomEnded, NotInRoom, NotOnStage, NotAllowed, NoRelay, BoothUnknown.
        """
        act = Act(actor.user_id, "get_media_permit", room_id, goes_on=True)
        return await self._placing.change(
            actor,
            room_id,
            act,
            lambda room, _: check_media(room, actor, kind, wish),
            only_with_permit=True,
            wish=wish,
        )
