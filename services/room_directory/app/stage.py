"""Hands and stage: raising, offering, accepting, muting, going back."""

from services.common.clock import Clock
from services.common.limits import TokenBuckets
from services.room_directory.app.live import Changed, LiveRooms, TakeEpoch
from services.room_directory.app.pace import Pace
from services.room_directory.app.people import People
from services.room_directory.app.placing import Placing, Seated
from services.room_directory.app.ports import Act, Ids, Limits
from services.room_directory.domain import deeds, hands, stage
from services.room_directory.domain.errors import RateLimited
from services.room_directory.domain.languages import AS_SPOKEN, Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import DeedKind, Offer

_MEMBER_TRIES = 8
"""Random numbers of 32 bits: that all of so many are taken does not happen."""
_GO_ON = {"dismiss_hand", "withdraw_offer", "mute_speaker", "move_to_audience"}
"""What moderators take from somebody: it must not wait for a disk. What they give is nothing unless it is written."""


class StageCases:
    """Use cases about hands and the stage."""

    def __init__(
        self, rooms: LiveRooms, placing: Placing, people: People, *, ids: Ids, clock: Clock, limits: Limits
    ) -> None:
        self._rooms = rooms
        self._placing = placing
        self._people = people
        self._ids = ids
        self._clock = clock
        self._pace = Pace(clock)
        self._hand_rate = TokenBuckets(limits.hands_per_minute, limits.hands_per_minute / 60.0)

    async def raise_hand(self, actor: Actor, room_id: str, question: str, language: str = "") -> Room:
        """Puts the caller's hand up. Raises NotAllowed, HandsOff, TooManyHands, RateLimited."""
        wait = self._hand_rate.take((room_id, actor.user_id), self._clock.monotonic())
        if wait:
            raise RateLimited("hands go up less often", retry_after_seconds=wait)
        act = Act(actor.user_id, "raise_hand", room_id, goes_on=True)
        # Moderators are told with the name; a hundred hands a second must not be a hundred questions.
        await self._people.learn(actor.user_id)
        now = self._clock.now()

        def decide(room: Room, _: TakeEpoch) -> None:
            hands.raise_hand(room, actor, question, now, language=language)

        return (await self._rooms.change_with_others(room_id, act, decide)).room

    async def lower_hand(self, actor: Actor, room_id: str) -> Room:
        """Takes the caller's hand down. Raises NotInRoom."""
        now = self._clock.now()
        act = Act(actor.user_id, "lower_hand", room_id, goes_on=True)
        changed: Changed[None] = await self._rooms.change_with_others(
            room_id, act, lambda room, _: hands.lower_hand(room, actor, now)
        )
        return changed.room

    async def list_hands(self, actor: Actor, room_id: str) -> Room:
        """The room with its queue, whose people are known. Raises NotAllowed."""
        room = (await self._rooms.find(room_id)).room
        hands.require_queue(room, actor)
        await self._people.get(room.hands)
        return room

    async def attend_hands(self, actor: Actor, room_id: str) -> None:
        """Lets hands' time run, for a moderator looks at them. Raises NotAllowed."""
        now = self._clock.now()
        act = Act(actor.user_id, "attend_hands", room_id, goes_on=True)
        await self._rooms.change(room_id, act, lambda room, _: hands.attend(room, actor, now))

    async def dismiss_hand(self, actor: Actor, room_id: str, user_id: str) -> bool:
        """Takes somebody's hand down. Says whether that could not be written. Raises NotAllowed."""
        now = self._clock.now()
        act = self._upon(actor, "dismiss_hand", room_id, user_id)
        changed: Changed[None] = await self._rooms.change(
            room_id, act, lambda room, _: deeds.dismiss_hand(room, actor, user_id, now)
        )
        return changed.unsaved

    async def offer_stage(self, actor: Actor, room_id: str, user_id: str) -> Offer:
        """Offers a listener the stage. Raises NotAllowed, NotInRoom, StageFull, StageClosed."""
        now, offer_id = self._clock.now(), self._ids.new_id()
        act = self._upon(actor, "offer_stage", room_id, user_id)
        changed = await self._rooms.change(
            room_id, act, lambda room, _: stage.offer_stage(room, actor, user_id, offer_id, now)
        )
        await self._people.get((user_id,))
        return changed.result

    async def withdraw_offer(self, actor: Actor, room_id: str, user_id: str) -> bool:
        """Takes an offer back. Says whether that could not be written. Raises NotAllowed."""
        now = self._clock.now()
        act = self._upon(actor, "withdraw_offer", room_id, user_id)
        changed: Changed[None] = await self._rooms.change(
            room_id, act, lambda room, _: stage.withdraw_offer(room, actor, user_id, now)
        )
        return changed.unsaved

    async def accept_offer(self, actor: Actor, room_id: str, offer_id: str, wish: Wish = AS_SPOKEN) -> Seated:
        """Brings the caller on stage, with a permit if a relay has room. Raises OfferGone, StageFull, StageClosed."""
        # For the language they speak; who is not known by now speaks that of the room, until they say another.
        known = (await self._people.get((actor.user_id,))).get(actor.user_id)
        speaks = next(iter(known.spoken_languages), "") if known else ""
        now, numbers = self._clock.now(), [self._ids.member() for _ in range(_MEMBER_TRIES)]

        def decide(room: Room, take_epoch: TakeEpoch) -> None:
            member = stage.free_member(room, numbers)
            stage.accept_offer(room, actor, offer_id, member=member, epoch=take_epoch(), now=now, speaks=speaks)

        act = Act(actor.user_id, "accept_offer", room_id)
        return await self._placing.change(actor, room_id, act, decide, only_with_permit=False, wish=wish)

    async def decline_offer(self, actor: Actor, room_id: str, offer_id: str) -> Room:
        """Says no to an offer. Raises OfferGone."""
        now = self._clock.now()
        act = Act(actor.user_id, "decline_offer", room_id, goes_on=True)
        changed = await self._rooms.change(
            room_id, act, lambda room, _: stage.decline_offer(room, actor, offer_id, now)
        )
        return changed.room

    async def leave_stage(self, actor: Actor, room_id: str, wish: Wish = AS_SPOKEN) -> Seated:
        """Takes the caller back to the audience, with a permit if there is room. Raises NotAllowed, LastModerator."""
        now = self._clock.now()
        act = Act(actor.user_id, "leave_stage", room_id, goes_on=True)
        return await self._placing.enforce(
            actor,
            room_id,
            act,
            lambda room, take_epoch: stage.leave_stage(room, actor, epoch=take_epoch(), now=now),
            wish=wish,
        )

    async def set_spoken_language(self, actor: Actor, room_id: str, user_id: str, language: str) -> None:
        """Says in which language somebody on stage speaks.

        Raises NotAllowed, NotOnStage, LanguageInvalid, RateLimited.
        """
        self._pace.keep(actor)
        now, detail = self._clock.now(), {"person": user_id, "language": language}
        act = Act(actor.user_id, "set_spoken_language", room_id, detail, goes_on=True)
        await self._rooms.change(
            room_id, act, lambda room, _: stage.set_spoken_language(room, actor, user_id, language, now)
        )

    async def set_own_mute(self, actor: Actor, room_id: str, muted: bool) -> Room:
        """Switches the caller's own microphone. Raises NotAllowed, StageClosed, RateLimited for switching on."""
        if not muted:
            self._pace.keep(actor)
        now = self._clock.now()
        act = Act(actor.user_id, "set_own_mute", room_id, {"muted": str(muted).lower()}, goes_on=True)
        return (
            await self._rooms.enforce(room_id, act, lambda room, _: deeds.set_own_mute(room, actor, muted, now))
        ).room

    async def mute_speaker(self, actor: Actor, room_id: str, user_id: str) -> bool:
        """Switches somebody's microphone off. Says whether that could not be written. Raises NotAllowed, NotOnStage."""
        now = self._clock.now()
        act = self._upon(actor, "mute_speaker", room_id, user_id)
        changed: Changed[None] = await self._rooms.enforce(
            room_id, act, lambda room, _: deeds.mute_speaker(room, actor, user_id, now)
        )
        return changed.unsaved

    async def move_to_audience(self, actor: Actor, room_id: str, user_id: str) -> bool:
        """Sends a speaker to the audience. Says whether that could not be written. Raises NotAllowed, NotOnStage."""
        now = self._clock.now()
        act = self._upon(actor, "move_to_audience", room_id, user_id)
        changed: Changed[None] = await self._rooms.enforce(
            room_id,
            act,
            lambda room, take_epoch: stage.move_to_audience(room, actor, user_id, epoch=take_epoch(), now=now),
        )
        return changed.unsaved

    async def make_moderator(self, actor: Actor, room_id: str, user_id: str) -> None:
        """Lets a speaker lead too. Raises NotAllowed, NotOnStage."""
        now = self._clock.now()
        act = self._upon(actor, "make_moderator", room_id, user_id)
        await self._rooms.change(room_id, act, lambda room, _: deeds.make_moderator(room, actor, user_id, now))

    async def take_back(self, actor: Actor, room_id: str, kind: DeedKind, user_id: str) -> None:
        """Takes back what the caller did to somebody a moment ago. Raises NotAllowed, NothingToTakeBack."""
        now = self._clock.now()
        act = Act(actor.user_id, "take_back", room_id, {"person": user_id, "what": kind.value})
        await self._rooms.change(room_id, act, lambda room, _: deeds.take_back(room, actor, kind, user_id, now))

    async def name_successor(self, actor: Actor, room_id: str, user_id: str, named: bool) -> None:
        """Marks a speaker as successor, or clears the mark. Raises NotAllowed, NotOnStage."""
        now = self._clock.now()
        act = self._upon(actor, "name_successor", room_id, user_id)
        await self._rooms.change(room_id, act, lambda room, _: stage.name_successor(room, actor, user_id, named, now))

    def _upon(self, actor: Actor, action: str, room_id: str, user_id: str) -> Act:
        return Act(actor.user_id, action, room_id, {"person": user_id}, goes_on=action in _GO_ON)
