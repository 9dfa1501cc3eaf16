"""Drives a room through random evenings and compares it, after each step, with a simple model and the invariants."""

import contextlib
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.common.errors import DomainError
from services.room_directory.app.parts import part_of
from services.room_directory.domain import booths, hands, interpreters, moderation, stage
from services.room_directory.domain.entry import leave_room
from services.room_directory.domain.errors import LastModerator, NotAllowed, Removed, RoomFull
from services.room_directory.domain.events import QueueFact
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import ALLOWED, SENSIBLE, Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandMode, RoomState, Rules, SessionState
from tests.unit.room_directory.rooms import Hall

PEOPLE = ("lina", "omar", "sana", "yusuf", "irina", "tarek")
RULES = Rules(listener_limit=3, stage_limit=3, hand_limit=2)
person = st.sampled_from(PEOPLE)
tongue = st.sampled_from(("ar", "ru"))
chair = st.sampled_from(("lina", "lina", "lina", "lina", *PEOPLE))
"""Who tries to lead: more often than not the one who may, so that evenings get somewhere."""


class Evening(RuleBasedStateMachine):
    """The model keeps roles and removals only; everything else is judged by invariants."""

    @initialize(guests=st.sets(st.sampled_from(PEOPLE[1:]), min_size=1, max_size=3))
    def open_room(self, guests: set[str]) -> None:
        self.hall = Hall(rules=RULES)
        self.roles: dict[str, Role] = {"lina": Role.MODERATOR}
        self.removed: set[str] = set()
        self.revision = 0
        self.newest_epoch: dict[str, int] = {}
        for name in sorted(guests):
            self.hall.listen(name)
            self.roles[name] = Role.LISTENER

    # Steps.

    @rule(name=person)
    def join(self, name: str) -> None:
        before = self.role(name)
        listeners = sum(1 for role in self.roles.values() if role is Role.LISTENER)
        refused = self.attempt(lambda: self.hall.join(name))
        if name in self.removed:
            assert isinstance(refused, Removed)
        elif before is Role.OUTSIDE and listeners >= RULES.listener_limit:
            assert isinstance(refused, RoomFull)
        elif self.hall.state() is not RoomState.ENDED:
            assert refused is None
            self.roles[name] = Role.LISTENER if before is Role.OUTSIDE else before

    @rule(name=person)
    def connect(self, name: str) -> None:
        if name in self.hall.room.seats:
            self.hall.session(name, SessionState.UP)

    @rule(name=person)
    def leave(self, name: str) -> None:
        alone = stage.is_last_moderator(self.hall.room, name)
        actor = Actor(name)
        refused = self.attempt(lambda: leave_room(self.hall.room, actor, 0, epoch=self.hall.epoch(), now=self.hall.now))
        assert refused is None
        if not alone:
            # A moderator who is away already stays recorded until somebody else leads.
            self.roles = {each: role for each, role in self.roles.items() if each != name or self.still_there(name)}

    @rule(name=person)
    def raise_hand(self, name: str) -> None:
        self.judge(name, Action.RAISE_HAND, lambda: hands.raise_hand(self.hall.room, Actor(name), "", self.hall.now))

    @rule(leader=chair, name=person)
    def bring_on_stage(self, leader: str, name: str) -> None:
        room, now = self.hall.room, self.hall.now
        refused = self.judge(
            leader, Action.OFFER_STAGE, lambda: stage.offer_stage(room, Actor(leader), name, f"o-{name}", now), name
        )
        if refused is not None:
            return
        accept = lambda: stage.accept_offer(  # noqa: E731
            room, Actor(name), f"o-{name}", member=self.hall.member(), epoch=self.hall.epoch(), now=now
        )
        if self.attempt(accept) is None:
            self.roles[name] = Role.SPEAKER

    @rule(name=person)
    def step_down(self, name: str) -> None:
        room = self.hall.room
        refused = self.judge(
            name,
            Action.LEAVE_STAGE,
            lambda: stage.leave_stage(room, Actor(name), epoch=self.hall.epoch(), now=self.hall.now),
        )
        if refused is None:
            self.settle(name, Role.LISTENER)

    @rule(leader=chair, name=person)
    def move_to_audience(self, leader: str, name: str) -> None:
        room = self.hall.room
        refused = self.judge(
            leader,
            Action.MOVE_TO_AUDIENCE,
            lambda: stage.move_to_audience(room, Actor(leader), name, epoch=self.hall.epoch(), now=self.hall.now),
            name,
        )
        if refused is None:
            self.settle(name, Role.LISTENER)

    @rule(leader=chair, name=person)
    def make_moderator(self, leader: str, name: str) -> None:
        room = self.hall.room
        refused = self.judge(
            leader,
            Action.MAKE_MODERATOR,
            lambda: stage.make_moderator(room, Actor(leader), name, self.hall.now),
            name,
        )
        if refused is None:
            self.roles[name] = Role.MODERATOR

    @rule(leader=chair, name=person)
    def remove(self, leader: str, name: str) -> None:
        room = self.hall.room
        refused = self.judge(
            leader,
            Action.REMOVE_PERSON,
            lambda: moderation.remove_person(room, Actor(leader), name, epoch=self.hall.epoch(), now=self.hall.now),
            name,
        )
        if refused is None:
            self.roles.pop(name, None)
            self.removed.add(name)

    @rule(leader=chair, mode=st.sampled_from(HandMode))
    def set_hand_mode(self, leader: str, mode: HandMode) -> None:
        edit = moderation.RoomEdit(hand_mode=mode)
        room = self.hall.room
        self.judge(
            leader,
            Action.UPDATE_ROOM,
            lambda: moderation.update_room(room, Actor(leader), edit, new_key="", now=self.hall.now),
        )

    @rule(leader=chair, language=tongue)
    def open_booth(self, leader: str, language: str) -> None:
        room = self.hall.room
        self.judge(leader, Action.OPEN_BOOTH, lambda: booths.open_booth(room, Actor(leader), language, self.hall.now))

    @rule(leader=chair, name=person, language=tongue)
    def bring_into_booth(self, leader: str, name: str, language: str) -> None:
        room, now = self.hall.room, self.hall.now
        offer = lambda: interpreters.offer_booth(  # noqa: E731
            room, Actor(leader), name, f"b-{name}-{language}", now, language=language
        )
        if self.judge(leader, Action.OFFER_BOOTH, offer, name) is not None:
            return
        accept = lambda: stage.accept_offer(  # noqa: E731
            room,
            Actor(name),
            f"b-{name}-{language}",
            member=self.hall.member(),
            epoch=self.hall.epoch(),
            now=now,
        )
        if self.attempt(accept) is None:
            self.roles[name] = Role.INTERPRETER

    @rule(name=person, language=tongue)
    def sit_in_booth(self, name: str, language: str) -> None:
        self.judge(
            name,
            Action.SIT_IN_BOOTH,
            lambda: interpreters.sit_in_booth(self.hall.room, Actor(name), language, self.hall.epoch, self.hall.now),
        )

    @rule(leader=chair, language=tongue)
    def close_booth(self, leader: str, language: str) -> None:
        room = self.hall.room
        sat = [seat.user_id for seat in room.in_booth(language) if seat.role is Role.INTERPRETER]
        refused = self.judge(
            leader,
            Action.CLOSE_BOOTH,
            lambda: interpreters.close_booth(room, Actor(leader), language, self.hall.epoch, self.hall.now),
        )
        for name in sat if refused is None else ():
            self.settle(name, Role.LISTENER)

    @rule(leader=chair, name=person, language=tongue)
    def say_what_they_speak(self, leader: str, name: str, language: str) -> None:
        room = self.hall.room
        refused = self.attempt(lambda: stage.set_spoken_language(room, Actor(leader), name, language, self.hall.now))
        if refused is None:
            assert room.stage[name].speaks == language

    @rule(language=tongue, silent=st.booleans())
    def hear_silence(self, language: str, silent: bool) -> None:
        booths.hear_silence(self.hall.room, {language: self.hall.now} if silent else {}, self.hall.now)

    @precondition(lambda self: "lina" in self.hall.room.seats)
    @rule(seconds=st.sampled_from((1, 31)))
    def wait(self, seconds: int) -> None:
        """Time passes for a room whose people are all connected: only hands and offers run out."""
        for name in list(self.hall.room.seats):
            self.hall.session(name, SessionState.UP)
        if self.hall.state() is RoomState.LIVE and all(seat.connected for seat in self.hall.room.stage.values()):
            self.hall.wait(seconds, step=seconds)

    # What must hold after each.

    @invariant()
    def roles_are_as_the_model_has_them(self) -> None:
        for name in PEOPLE:
            assert self.hall.room.role_of(name) is self.role(name), name

    @invariant()
    def only_listeners_have_hands_and_offers(self) -> None:
        room = self.hall.room
        for name in (*room.hands, *room.offers):
            assert room.role_of(name) is Role.LISTENER
        assert len(room.hands) <= RULES.hand_limit
        assert not (room.hand_mode is HandMode.OFF and room.hands)

    @invariant()
    def limits_and_numbers_hold(self) -> None:
        room = self.hall.room
        assert len(room.stage) <= RULES.stage_limit
        # Somebody sent back from the stage keeps a seat even in a full audience.
        assert room.listener_count() <= RULES.listener_limit + RULES.stage_limit
        members = [seat.member for seat in room.stage.values()]
        assert len(members) == len(set(members))
        assert all(0 < member < 2**32 for member in members)

    @invariant()
    def epochs_and_revisions_only_rise(self) -> None:
        room = self.hall.room
        for name, seat in room.seats.items():
            assert seat.epoch >= self.newest_epoch.get(name, 0)
            assert seat.epoch >= room.floor_of(name)
            self.newest_epoch[name] = seat.epoch
            if name in room.stage:
                assert room.stage[name].epoch == seat.epoch
        told = [fact.revision for fact in room.facts if not isinstance(fact, QueueFact)]
        assert told == list(range(1, len(told) + 1))
        of_hands = [fact.queue_revision for fact in room.facts if isinstance(fact, QueueFact)]
        assert of_hands == list(range(1, len(of_hands) + 1))
        assert room.revision == len(told)

    @invariant()
    def interpreters_sit_in_open_booths_and_each_booth_has_one_voice(self) -> None:
        room = self.hall.room
        for seat in room.stage.values():
            assert seat.booth in ("", *room.booths)
            assert seat.booth or seat.role is not Role.INTERPRETER
        for language in room.booths:
            there = [seat for seat in room.in_booth(language) if seat.connected]
            assert [seat.active for seat in there].count(True) == min(1, len(there))

    @invariant()
    def relays_know_what_is_spoken_on_the_floor_and_only_open_booths_are_silent(self) -> None:
        room = self.hall.room
        assert all(seat.speaks for seat in room.stage.values())
        floor = {seat.member: seat.speaks for seat in room.stage.values() if not seat.booth}
        assert dict(part_of(room).members) == floor
        assert room.silent.keys() <= room.booths.keys()

    @invariant()
    def nobody_removed_is_inside(self) -> None:
        assert not set(self.hall.room.removed) & (set(self.hall.room.seats) | set(self.hall.room.stage))

    @invariant()
    def a_live_room_is_led(self) -> None:
        if self.hall.state() is RoomState.LIVE:
            assert any(seat.role is Role.MODERATOR for seat in self.hall.room.stage.values())

    # Helpers.

    def role(self, name: str) -> Role:
        return self.roles.get(name, Role.OUTSIDE)

    def still_there(self, name: str) -> bool:
        return name in self.hall.room.stage

    def settle(self, name: str, role: Role) -> None:
        """After leaving the stage: in the audience, or nowhere for somebody who holds no seat."""
        if name in self.hall.room.seats:
            self.roles[name] = role
        else:
            self.roles.pop(name, None)

    def attempt(self, step: Callable[[], object]) -> DomainError | None:
        """Takes a step; a refusal must have changed nothing."""
        before = self.image(self.hall.room)
        with contextlib.suppress(StopIteration):
            try:
                step()
            except DomainError as error:
                assert self.image(self.hall.room) == before, "a refusal half-changed the room"
                return error
        return None

    @staticmethod
    def image(room: Room) -> object:
        return (
            room.state, room.revision, room.stage.copy(), room.hands.copy(), room.offers.copy(), room.seats.copy(),
            room.removed.copy(), room.hand_mode, len(room.orders), room.booths.copy(),
        )  # fmt: skip

    def judge(
        self, name: str, action: Action, step: Callable[[], object], target: str | None = None
    ) -> DomainError | None:
        """Takes a step and holds its outcome to the role tables."""
        role = self.role(name)
        sensible = target is None or (action, self.role(target)) in SENSIBLE
        refused = self.attempt(step)
        if (role, action) not in ALLOWED:
            assert isinstance(refused, NotAllowed)
        elif not sensible:
            assert refused is not None
        elif isinstance(refused, NotAllowed):
            raise AssertionError(f"{action} was refused to {role} although the table lists it")
        if isinstance(refused, LastModerator):
            assert role is Role.MODERATOR
        return refused


TestEvening = Evening.TestCase
TestEvening.settings = settings(max_examples=80, stateful_step_count=30, deadline=None, derandomize=True)
