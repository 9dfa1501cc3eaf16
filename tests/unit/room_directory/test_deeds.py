"""A moderator takes back what they did a moment ago, and nobody's microphone opens later than that."""

import pytest

from services.room_directory.domain import deeds, hands, stage
from services.room_directory.domain.errors import NotAllowed, NothingToTakeBack
from services.room_directory.domain.events import HandRaised, SeatAction
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import DeedKind
from tests.unit.room_directory.rooms import Hall

LINA = Actor("lina")


def back(hall: Hall, kind: DeedKind, name: str, actor: Actor = LINA) -> None:
    deeds.take_back(hall.room, actor, kind, name, hall.now)


def test_a_mute_taken_back_leaves_the_microphone_as_open_as_it_was() -> None:
    hall = Hall()
    hall.speak("sana")
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    hall.clear()
    back(hall, DeedKind.MUTE, "sana")
    seat = hall.room.stage["sana"]
    assert (seat.muted, seat.muted_by_moderator) == (False, False)
    assert [action for action, _ in hall.orders("sana")] == [SeatAction.UNMUTE]


def test_no_microphone_opens_later_than_ten_seconds_nor_one_that_was_off_before_nor_one_of_its_owner() -> None:
    hall = Hall()
    hall.speak("sana")
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    hall.wait(11)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")

    stage.set_own_mute(hall.room, Actor("sana"), False, hall.now)
    stage.set_own_mute(hall.room, Actor("sana"), True, hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")

    stage.set_own_mute(hall.room, Actor("sana"), False, hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    stage.set_own_mute(hall.room, Actor("sana"), False, hall.now)
    stage.set_own_mute(hall.room, Actor("sana"), True, hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")
    assert hall.room.stage["sana"].muted


def test_a_microphone_stays_off_that_its_owner_or_another_moderator_switched_off_since() -> None:
    hall = Hall()
    hall.speak("sana")
    hall.speak("omar")
    stage.make_moderator(hall.room, LINA, "omar", hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    deeds.set_own_mute(hall.room, Actor("sana"), True, hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")
    assert hall.room.stage["sana"].muted

    # A mute of something long off brings nothing back of the one before it.
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")

    deeds.set_own_mute(hall.room, Actor("sana"), False, hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    deeds.mute_speaker(hall.room, Actor("omar"), "sana", hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana")
    assert hall.room.stage["sana"].muted


def test_a_mute_pressed_twice_is_taken_back_once() -> None:
    hall = Hall()
    hall.speak("sana")
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    back(hall, DeedKind.MUTE, "sana")
    assert not hall.room.stage["sana"].muted


def test_somebody_made_a_moderator_is_a_speaker_again_and_a_successor_still() -> None:
    hall = Hall()
    hall.speak("sana")
    stage.name_successor(hall.room, LINA, "sana", True, hall.now)
    deeds.make_moderator(hall.room, LINA, "sana", hall.now)
    back(hall, DeedKind.MAKE_MODERATOR, "sana")
    seat = hall.room.stage["sana"]
    assert (seat.role, seat.successor) == (Role.SPEAKER, True)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MAKE_MODERATOR, "sana")


def test_a_hand_put_down_goes_up_again_where_it_was_with_its_question() -> None:
    hall = Hall()
    for name in ("omar", "nadia", "yusuf"):
        hall.listen(name)
        hands.raise_hand(hall.room, Actor(name), f"{name} asks", hall.now)
        hall.wait(1)
    deeds.dismiss_hand(hall.room, LINA, "nadia", hall.now)
    hall.clear()
    back(hall, DeedKind.DISMISS_HAND, "nadia")
    assert [(hand.user_id, hand.question) for hand in hall.room.hands.values()][1] == ("nadia", "nadia asks")
    assert len(hall.facts(HandRaised)) == 1


def test_a_hand_stays_down_of_who_has_left_raised_it_again_or_is_on_stage() -> None:
    hall = Hall()
    hall.listen("omar")
    hands.raise_hand(hall.room, Actor("omar"), "", hall.now)
    deeds.dismiss_hand(hall.room, LINA, "omar", hall.now)
    hands.raise_hand(hall.room, Actor("omar"), "again", hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.DISMISS_HAND, "omar")
    deeds.dismiss_hand(hall.room, LINA, "omar", hall.now)
    hall.speak("omar")
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.DISMISS_HAND, "omar")


def test_nobody_takes_back_what_somebody_else_did() -> None:
    hall = Hall()
    hall.speak("sana")
    hall.speak("omar")
    stage.make_moderator(hall.room, LINA, "omar", hall.now)
    deeds.mute_speaker(hall.room, LINA, "sana", hall.now)
    with pytest.raises(NothingToTakeBack):
        back(hall, DeedKind.MUTE, "sana", Actor("omar"))
    with pytest.raises(NotAllowed):
        back(hall, DeedKind.MUTE, "sana", Actor("sana"))


def test_what_is_remembered_is_bounded() -> None:
    hall = Hall()
    for number in range(deeds.MOST_DEEDS + 20):
        hall.listen(f"guest{number}")
        hands.raise_hand(hall.room, Actor(f"guest{number}"), "", hall.now)
        deeds.dismiss_hand(hall.room, LINA, f"guest{number}", hall.now)
    assert len(hall.room.deeds) == deeds.MOST_DEEDS
