"""Walks every (role, action) pair, and every (action, role of the target) pair, against the tables."""

from collections.abc import Callable

import pytest

from services.common.errors import DomainError
from services.room_directory.domain import booths, captions, hands, interpreters, moderation, stage
from services.room_directory.domain.entry import check_media
from services.room_directory.domain.errors import NotAllowed, NotInRoom, NotOnStage
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import ALLOWED, ON_STAGE, SENSIBLE, Action, Role, require_target
from services.room_directory.domain.seats import HandMode, MediaKind
from tests.unit.room_directory.rooms import Hall

NAMES = {
    Role.OUTSIDE: "outsider", Role.LISTENER: "omar", Role.SPEAKER: "sana", Role.MODERATOR: "lina",
    Role.INTERPRETER: "irina",
}  # fmt: skip

Do = Callable[[Hall, Actor], object]

ATTEMPTS: dict[Action, Do] = {
    Action.LISTEN: lambda hall, actor: check_media(hall.room, actor, MediaKind.AUDIENCE),
    Action.SPEAK: lambda hall, actor: check_media(hall.room, actor, MediaKind.STAGE),
    Action.RAISE_HAND: lambda hall, actor: hands.raise_hand(hall.room, actor, "", hall.now),
    Action.LOWER_HAND: lambda hall, actor: hands.lower_hand(hall.room, actor, hall.now),
    Action.ACCEPT_OFFER: lambda hall, actor: stage.accept_offer(
        hall.room, actor, "o", member=hall.member(), epoch=hall.epoch(), now=hall.now
    ),
    Action.DECLINE_OFFER: lambda hall, actor: stage.decline_offer(hall.room, actor, "o", hall.now),
    Action.LEAVE_STAGE: lambda hall, actor: stage.leave_stage(hall.room, actor, epoch=hall.epoch(), now=hall.now),
    Action.SET_OWN_MUTE: lambda hall, actor: stage.set_own_mute(hall.room, actor, True, hall.now),
    Action.UPDATE_ROOM: lambda hall, actor: moderation.update_room(
        hall.room, actor, moderation.RoomEdit(hand_mode=HandMode.OFF), new_key="k", now=hall.now
    ),
    Action.END_ROOM: lambda hall, actor: moderation.end_room(hall.room, actor, hall.now),
    Action.LIST_HANDS: lambda hall, actor: hands.require_queue(hall.room, actor),
    Action.DISMISS_HAND: lambda hall, actor: hands.dismiss_hand(hall.room, actor, "nadia", hall.now),
    Action.GRANT_CAPTIONING: lambda hall, actor: captions.grant(hall.room, actor, "nadia", "en", hall.now),
    Action.MUTE_CAPTIONER: lambda hall, actor: captions.mute(hall.room, actor, "nadia", muted=True, now=hall.now),
    Action.EDIT_CAPTIONS: lambda hall, actor: captions.require_editor(hall.room, actor, "nadia", "en"),
    Action.OFFER_STAGE: lambda hall, actor: stage.offer_stage(hall.room, actor, "nadia", "o2", hall.now),
    Action.WITHDRAW_OFFER: lambda hall, actor: stage.withdraw_offer(hall.room, actor, "nadia", hall.now),
    Action.MUTE_SPEAKER: lambda hall, actor: stage.mute_speaker(hall.room, actor, "tarek", hall.now),
    Action.MOVE_TO_AUDIENCE: lambda hall, actor: stage.move_to_audience(
        hall.room, actor, "tarek", epoch=hall.epoch(), now=hall.now
    ),
    Action.REMOVE_PERSON: lambda hall, actor: moderation.remove_person(
        hall.room, actor, "tarek", epoch=hall.epoch(), now=hall.now
    ),
    Action.READMIT_PERSON: lambda hall, actor: moderation.readmit_person(hall.room, actor, "nadia"),
    Action.MAKE_MODERATOR: lambda hall, actor: stage.make_moderator(hall.room, actor, "tarek", hall.now),
    Action.NAME_SUCCESSOR: lambda hall, actor: stage.name_successor(hall.room, actor, "tarek", True, hall.now),
    Action.ADD_GUEST: lambda hall, actor: moderation.add_guest(hall.room, actor, "guest", hall.now),
    Action.LIST_ROSTER: lambda hall, actor: hall.room.require(actor, Action.LIST_ROSTER),
    Action.TAKE_BACK: lambda hall, actor: hall.room.require(actor, Action.TAKE_BACK),
    Action.OPEN_BOOTH: lambda hall, actor: booths.open_booth(hall.room, actor, "fr", hall.now),
    Action.CLOSE_BOOTH: lambda hall, actor: interpreters.close_booth(hall.room, actor, "ru", hall.epoch, hall.now),
    Action.OFFER_BOOTH: lambda hall, actor: interpreters.offer_booth(
        hall.room, actor, "nadia", "o3", hall.now, language="ru"
    ),
    Action.SIT_IN_BOOTH: lambda hall, actor: interpreters.sit_in_booth(hall.room, actor, "ru", hall.epoch, hall.now),
    Action.SET_BOOTH: lambda hall, actor: booths.set_booth(
        hall.room, actor, "ru", rule=None, floor_after_seconds=9, floor_level_db=None, now=hall.now
    ),
    Action.SET_SPOKEN_LANGUAGE: lambda hall, actor: stage.set_spoken_language(
        hall.room, actor, "tarek", "ru", hall.now
    ),
    Action.GO_LIVE: lambda hall, actor: moderation.go_live(hall.room, actor, hall.now),
    Action.LIST_CHANNELS: lambda hall, actor: hall.room.require(actor, Action.LIST_CHANNELS),
}


def full_hall() -> Hall:
    """One person of each role, a second moderator, a listener and a speaker to act upon, an offer to the listener."""
    hall = Hall()
    hall.speak("sana")
    hall.speak("tarek")
    hall.speak("musa")
    stage.make_moderator(hall.room, Actor("lina"), "musa", hall.now)
    for language in ("ar", "ru"):
        booths.open_booth(hall.room, Actor("lina"), language, hall.now)
    hall.interpret("irina", "ar")
    hall.listen("omar")
    hall.listen("nadia")
    stage.offer_stage(hall.room, Actor("lina"), "omar", "o", hall.now)
    captions.grant(hall.room, Actor("lina"), "nadia", "ru", hall.now)
    return hall


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_an_action_succeeds_exactly_when_the_table_lists_it_for_the_role(action: Action, role: Role) -> None:
    hall = full_hall()
    before = hall.room.draft()
    try:
        ATTEMPTS[action](hall, Actor(NAMES[role]))
    except (NotAllowed, NotInRoom, NotOnStage):
        assert (role, action) not in ALLOWED
        assert hall.room.stage == before.stage
        assert hall.room.revision == before.revision
    else:
        assert (role, action) in ALLOWED


def test_every_action_has_an_attempt_in_this_walk() -> None:
    assert set(ATTEMPTS) == set(Action)


@pytest.mark.parametrize("target", Role)
@pytest.mark.parametrize("action", [action for action in Action if action in {listed for listed, _ in SENSIBLE}])
def test_an_action_upon_a_person_is_refused_unless_it_makes_sense_for_their_role(action: Action, target: Role) -> None:
    if (action, target) in SENSIBLE:
        require_target(action, target)
        return
    with pytest.raises((NotAllowed, NotInRoom, NotOnStage)) as caught:
        require_target(action, target)
    if target is Role.MODERATOR:
        assert isinstance(caught.value, NotAllowed)


def test_only_ending_a_room_is_open_to_operators_who_are_not_in_it() -> None:
    for action in Action:
        hall = full_hall()
        operator = Actor("olga", operator=True)
        if action is Action.END_ROOM:
            ATTEMPTS[action](hall, operator)
            continue
        with pytest.raises(DomainError):
            ATTEMPTS[action](hall, operator)


def test_an_interpreter_who_is_made_a_moderator_leads_from_the_booth() -> None:
    hall = full_hall()
    stage.make_moderator(hall.room, Actor("lina"), "irina", hall.now)
    seat = hall.room.stage["irina"]
    assert (seat.role, seat.booth) == (Role.MODERATOR, "ar")
    assert {seat.role for seat in hall.room.stage.values()} <= ON_STAGE
