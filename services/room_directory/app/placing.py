"""Changes that end with a permit: a decision, room for its session on a relay, and the permit that is signed for it."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.errors import DomainError
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import Decide, LiveRoom, LiveRooms
from services.room_directory.app.permits import Permit, Permits, Placed
from services.room_directory.app.ports import Act
from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.entry import expect_session
from services.room_directory.domain.errors import NoRelay
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind


@dataclass(frozen=True, slots=True)
class Seated:
    """The caller's place after a call, and a permit when one was asked for."""

    live: LiveRoom
    room: Room
    permit: Permit | None


class _Promise:
    """Room on a relay for one seat, taken once a decision has been made and given back when it came to nothing."""

    def __init__(self, take: Callable[[LiveRoom, Room], Placed | None], give_back: Callable[[Placed], None]) -> None:
        self._take = take
        self._give_back = give_back
        self.placed: Placed | None = None

    def reserve(self, live: LiveRoom, room: Room) -> None:
        """Takes it as the room is after the decision. Raises NoRelay."""
        self.placed = self._take(live, room)

    def undo(self) -> None:
        """The decision was not kept."""
        if self.placed is not None:
            self._give_back(self.placed)


class Placing:
    """Decides about a seat and gives it the permit that its role then asks for."""

    def __init__(self, rooms: LiveRooms, fleet: Fleet, permits: Permits, clock: Clock) -> None:
        self._rooms = rooms
        self._fleet = fleet
        self._permits = permits
        self._clock = clock

    async def change(
        self,
        actor: Actor,
        room_id: str,
        act: Act,
        decide: Decide[object],
        *,
        only_with_permit: bool,
        wish: Wish = AS_SPOKEN,
    ) -> Seated:
        """Changes a room, with a permit for the actor's seat, by what they wish to hear.

        Where no relay has room, a change `only_with_permit` is refused with NoRelay; any other stands without one, and
        the caller asks for it again.
        """
        promise = self._promise(actor, room_id, only_with_permit=only_with_permit, wish=wish)
        try:
            changed = await self._rooms.change(room_id, act, decide, promise.reserve)
        except DomainError:
            promise.undo()
            raise
        return self._seated(changed.live, changed.room, actor, promise.placed)

    async def enforce(
        self, actor: Actor, room_id: str, act: Act, decide: Decide[object], *, wish: Wish = AS_SPOKEN
    ) -> Seated:
        """A change that stands in any case, and returns once relays do what follows for seats."""
        promise = self._promise(actor, room_id, only_with_permit=False, wish=wish)
        try:
            changed = await self._rooms.enforce(room_id, act, decide, promise.reserve)
        except DomainError:
            promise.undo()
            raise
        return self._seated(changed.live, changed.room, actor, promise.placed)

    def _promise(self, actor: Actor, room_id: str, *, only_with_permit: bool, wish: Wish) -> _Promise:
        user_id = actor.user_id

        def take(live: LiveRoom, room: Room) -> Placed | None:
            try:
                return self._place(live, room, actor, wish)
            except NoRelay:
                if only_with_permit:
                    raise
                return None

        def give_back(placed: Placed) -> None:
            self._fleet.promises.give_back(placed.relay.relay_id, room_id, user_id, placed.permit_id)

        return _Promise(take, give_back)

    def _place(self, live: LiveRoom, room: Room, actor: Actor, wish: Wish) -> Placed | None:
        user_id = actor.user_id
        if user_id not in room.seats:
            # Somebody on stage whose seat is lost: there is nothing a session could serve.
            return None
        # A seat alone makes nobody a returning listener: everyone who knocks gets one first. Nor does sound over HTTPS,
        # of which relays had no part: else those who wait for one would be overtaken.
        seat = room.seats[user_id]
        never_called = seat.listens and not seat.relay_id
        returning = room.had_sound(user_id, self._clock.now()) and not never_called
        permit_id = self._permits.new_id()
        kind, on_stage = kind_for(room, user_id), room.stage.get(user_id)
        # Who interprets is the reason for a channel, whoever hears it: it is mixed where the stage is.
        channel = (on_stage.booth or CHANNEL) if on_stage else wish.heard_in(room.booths, room.spoken)
        relay = self._fleet.promises.there(room.seats[user_id]) if wish.changing else None
        if relay is None:
            relay = self._fleet.promises.place(
                live, user_id, kind, permit_id, returning=returning, region=actor.region, channel=channel
            )
            expect_session(room, user_id, relay.relay_id)
        # The stage has no channels to choose from: its slots follow what its people understand.
        understands = wish.understands if on_stage else wish.chosen_by_relay
        heard = CHANNEL if on_stage else wish.channel
        thrift = wish.thrift and not on_stage
        return Placed(relay, permit_id, returning, heard, understands, changing=wish.changing, thrift=thrift)

    def _seated(self, live: LiveRoom, room: Room, actor: Actor, placed: Placed | None) -> Seated:
        if placed is None:
            return Seated(live, room, None)
        seat, kind = room.seats[actor.user_id], kind_for(room, actor.user_id)
        return Seated(live, room, self._permits.issue(room, seat, kind, placed, actor.proof))


def kind_for(room: Room, user_id: str) -> MediaKind:
    """The kind of media session that a person's role asks for."""
    return MediaKind.STAGE if user_id in room.stage else MediaKind.AUDIENCE
