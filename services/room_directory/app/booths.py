"""Booths: opening and closing them, their seats, and who of them is heard."""

from services.common.clock import Clock
from services.room_directory.app.live import Changed, LiveRooms, TakeEpoch
from services.room_directory.app.pace import Pace
from services.room_directory.app.people import People
from services.room_directory.app.placing import Placing, Seated
from services.room_directory.app.ports import Act, Ids
from services.room_directory.domain import booths, interpreters, on_air
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import BoothRule, Offer


class BoothCases:
    """Use cases about booths; those that change what is heard return once the relays do so."""

    def __init__(self, rooms: LiveRooms, placing: Placing, people: People, *, ids: Ids, clock: Clock) -> None:
        self._rooms = rooms
        self._placing = placing
        self._people = people
        self._ids = ids
        self._clock = clock
        self._pace = Pace(clock)

    async def open_booth(self, actor: Actor, room_id: str, language: str) -> Room:
        """Opens one. Raises NotAllowed, LanguageInvalid, TooManyBooths, StageClosed, RateLimited."""
        self._pace.keep(actor)
        now, act = self._clock.now(), Act(actor.user_id, "open_booth", room_id, {"language": language})
        changed: Changed[None] = await self._rooms.enforce(
            room_id, act, lambda room, _: booths.open_booth(room, actor, language, now)
        )
        return await self._known(changed.room, language)

    async def close_booth(self, actor: Actor, room_id: str, language: str) -> bool:
        """Closes one. Says whether that could not be written. Raises NotAllowed."""
        now = self._clock.now()
        act = Act(actor.user_id, "close_booth", room_id, {"language": language}, goes_on=True)
        changed: Changed[None] = await self._rooms.enforce(
            room_id, act, lambda room, take_epoch: interpreters.close_booth(room, actor, language, take_epoch, now)
        )
        return changed.unsaved

    async def offer_booth(self, actor: Actor, room_id: str, user_id: str, language: str) -> Offer:
        """Offers a seat. Raises NotAllowed, NotInRoom, BoothUnknown, BoothFull, StageFull, StageClosed."""
        now, offer_id = self._clock.now(), self._ids.new_id()
        act = Act(actor.user_id, "offer_booth", room_id, {"person": user_id, "language": language})
        changed = await self._rooms.change(
            room_id,
            act,
            lambda room, _: interpreters.offer_booth(room, actor, user_id, offer_id, now, language=language),
        )
        await self._people.get((user_id,))
        return changed.result

    async def sit_in_booth(self, actor: Actor, room_id: str, language: str, wish: Wish = AS_SPOKEN) -> Seated:
        """Moves the caller, with a permit if there is room.

        Raises NotAllowed, BoothUnknown, BoothFull, StageClosed, RateLimited.
        """
        self._pace.keep(actor)
        now = self._clock.now()
        act = Act(actor.user_id, "sit_in_booth", room_id, {"language": language}, goes_on=True, seats=True)

        def decide(room: Room, take_epoch: TakeEpoch) -> None:
            interpreters.sit_in_booth(room, actor, language, take_epoch, now)

        return await self._placing.enforce(actor, room_id, act, decide, wish=wish)

    async def take_over(self, actor: Actor, room_id: str) -> tuple[Room, str]:
        """Makes the caller heard; returns the room and the booth's language.

        Raises NotInBooth, SoundLost, StageClosed, RateLimited.
        """
        self._pace.keep(actor)
        now, act = self._clock.now(), Act(actor.user_id, "take_over", room_id, goes_on=True)
        changed = await self._rooms.enforce(room_id, act, lambda room, _: on_air.take_over(room, actor, now))
        return await self._known(changed.room, changed.result), changed.result

    async def set_booth(
        self,
        actor: Actor,
        room_id: str,
        language: str,
        *,
        rule: BoothRule | None,
        floor_after_seconds: int | None,
        floor_level_db: int | None,
    ) -> Room:
        """Changes what a channel carries. Raises NotAllowed, BoothUnknown, RateLimited."""
        self._pace.keep(actor)
        now, act = self._clock.now(), Act(actor.user_id, "set_booth", room_id, {"language": language}, goes_on=True)

        def decide(room: Room, _: TakeEpoch) -> None:
            booths.set_booth(
                room,
                actor,
                language,
                rule=rule,
                floor_after_seconds=floor_after_seconds,
                floor_level_db=floor_level_db,
                now=now,
            )

        changed = await self._rooms.change(room_id, act, decide)
        return await self._known(changed.room, language)

    async def set_hearing(self, actor: Actor, room_id: str, language: str) -> tuple[Room, str]:
        """Lets the caller hear a booth or the floor; returns the room and the language of their own booth.

        Raises NotInBooth, BoothUnknown, BoothLoop, RateLimited.
        """
        self._pace.keep(actor)
        now, act = self._clock.now(), Act(actor.user_id, "set_hearing", room_id, {"language": language}, goes_on=True)
        changed = await self._rooms.change(room_id, act, lambda room, _: booths.set_hearing(room, actor, language, now))
        return await self._known(changed.room, changed.result), changed.result

    async def _known(self, room: Room, language: str) -> Room:
        """The room, once the profiles of those in the booth are known."""
        await self._people.get(seat.user_id for seat in room.in_booth(language))
        return room
