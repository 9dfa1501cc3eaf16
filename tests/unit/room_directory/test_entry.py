"""Coming in and going."""

import pytest

from services.common.errors import ScopeMissing
from services.room_directory.domain import moderation, texts
from services.room_directory.domain.ended import Ended, EndedSignIns
from services.room_directory.domain.entry import check_media, end_sign_in, expel, leave_room, take_seat
from services.room_directory.domain.errors import (
    Blocked,
    NotAllowed,
    NotInRoom,
    NotOnStage,
    Removed,
    RoomClosed,
    RoomEnded,
    RoomFull,
    SeatTakenOver,
    TitleInvalid,
)
from services.room_directory.domain.events import SeatAction
from services.room_directory.domain.events import SeatTakenOver as WasTakenOver
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import MediaKind, RoomState, Rules, Visibility
from tests.support.emoji import every_emoji
from tests.unit.room_directory.rooms import Hall

LINA = Actor("lina")


def test_a_removed_person_cannot_return_until_readmitted() -> None:
    hall = Hall()
    hall.listen("omar")
    moderation.remove_person(hall.room, LINA, "omar", epoch=hall.epoch(), now=hall.now)
    assert hall.orders("omar")[-1][0] is SeatAction.END
    with pytest.raises(Removed):
        hall.join("omar")
    moderation.readmit_person(hall.room, LINA, "omar")
    hall.join("omar")
    assert hall.room.role_of("omar") is Role.LISTENER


def test_somebody_blocked_by_a_moderator_cannot_enter() -> None:
    with pytest.raises(Blocked):
        Hall().join("omar", blocked=True)


@pytest.mark.parametrize("key", ["", "wrong", "thekey "])
def test_a_closed_room_refuses_whoever_has_no_key(key: str) -> None:
    with pytest.raises(RoomClosed):
        Hall(Visibility.CLOSED).join("omar", key)


def test_a_closed_room_lets_in_who_holds_the_key_or_was_asked_in() -> None:
    hall = Hall(Visibility.CLOSED)
    hall.join("omar", "thekey")
    moderation.add_guest(hall.room, LINA, "nadia", hall.now)
    hall.join("nadia")
    assert hall.room.listener_count() == 2


def test_closing_an_open_room_gives_it_a_key_and_keeps_who_is_there() -> None:
    hall = Hall()
    hall.listen("omar")
    edit = moderation.RoomEdit(visibility=Visibility.CLOSED)
    moderation.update_room(hall.room, LINA, edit, new_key="fresh", now=hall.now)
    assert hall.room.room_key == "fresh"
    hall.join("omar")
    with pytest.raises(RoomClosed):
        hall.join("nadia")


def test_the_listener_after_the_last_place_is_refused_but_a_seat_can_be_taken_over() -> None:
    hall = Hall(rules=Rules(listener_limit=2))
    hall.listen("omar")
    hall.listen("nadia")
    with pytest.raises(RoomFull):
        hall.join("yusuf")
    hall.join("omar")
    assert hall.room.listener_count() == 2


def test_joining_elsewhere_takes_the_seat_over_and_tells_the_first_device() -> None:
    hall = Hall()
    first = hall.listen("omar")
    second = hall.join("omar")
    taken = hall.facts(WasTakenOver)[-1]
    assert isinstance(taken, WasTakenOver)
    assert (taken.user_id, taken.epoch) == ("omar", second)
    assert second > first
    assert hall.orders("omar")[-1] == (SeatAction.END, second)


def test_taking_up_a_seat_that_no_device_holds_tells_nobody() -> None:
    hall = Hall()
    hall.join("omar")
    hall.clear()
    hall.join("omar")
    assert not hall.facts(WasTakenOver)
    assert not hall.room.changed or not hall.room.facts


def test_a_listener_coming_in_writes_no_row() -> None:
    hall = Hall()
    draft = hall.room = hall.room.draft()
    hall.join("omar")
    assert not draft.changed
    assert not draft.facts


def test_leaving_with_the_epoch_of_an_older_device_does_not_end_the_newer_seat() -> None:
    hall = Hall()
    old = hall.listen("omar")
    hall.listen("omar")
    with pytest.raises(SeatTakenOver):
        leave_room(hall.room, Actor("omar"), old, epoch=hall.epoch(), now=hall.now)
    assert hall.room.role_of("omar") is Role.LISTENER


def test_leaving_with_the_epoch_from_before_a_change_of_role_works() -> None:
    hall = Hall()
    as_listener = hall.listen("omar")
    hall.speak("omar")
    leave_room(hall.room, Actor("omar"), as_listener, epoch=hall.epoch(), now=hall.now)
    assert hall.room.role_of("omar") is Role.OUTSIDE


def test_leaving_twice_changes_nothing() -> None:
    hall = Hall()
    hall.listen("omar")
    leave_room(hall.room, Actor("omar"), 0, epoch=hall.epoch(), now=hall.now)
    hall.clear()
    leave_room(hall.room, Actor("omar"), 0, epoch=hall.epoch(), now=hall.now)
    assert not hall.room.orders


def test_nobody_enters_a_room_that_is_over() -> None:
    hall = Hall()
    moderation.end_room(hall.room, LINA, hall.now)
    with pytest.raises(RoomEnded):
        hall.join("omar")


def test_permits_are_only_for_those_whose_role_fits_the_session() -> None:
    hall = Hall()
    hall.listen("omar")
    with pytest.raises(NotInRoom):
        check_media(hall.room, Actor("nadia"), MediaKind.AUDIENCE)
    with pytest.raises(NotOnStage):
        check_media(hall.room, Actor("omar"), MediaKind.STAGE)
    with pytest.raises(NotAllowed):
        check_media(hall.room, LINA, MediaKind.AUDIENCE)
    assert check_media(hall.room, LINA, MediaKind.STAGE).user_id == "lina"


def test_a_token_that_only_listens_takes_no_seat_and_no_microphone_of_who_is_on_stage() -> None:
    hall = Hall()
    hall.join("lina")
    before = hall.room.seats["lina"]
    listening = Actor("lina", may_speak=False)
    with pytest.raises(ScopeMissing):
        take_seat(hall.room, listening, "", blocked=False, epoch=hall.epoch(), now=hall.now)
    with pytest.raises(ScopeMissing):
        check_media(hall.room, listening, MediaKind.STAGE)
    assert hall.room.seats["lina"] == before
    omar = Actor("omar", may_speak=False)
    take_seat(hall.room, omar, "", blocked=False, epoch=hall.epoch(), now=hall.now)
    assert check_media(hall.room, omar, MediaKind.AUDIENCE).user_id == "omar"


def test_a_suspended_last_moderator_leaves_the_room_held() -> None:
    hall = Hall()
    expel(hall.room, "lina", Ended("lina", hall.now), epoch=hall.epoch(), now=hall.now)
    assert hall.state() is RoomState.HELD
    assert hall.orders("lina")[-1][0] is SeatAction.END


@pytest.mark.parametrize("title", ["", "   ", "\u200b\u202e", "x" * 61])
def test_a_title_without_anything_to_see_or_too_long_is_refused(title: str) -> None:
    hall = Hall()
    with pytest.raises(TitleInvalid):
        moderation.update_room(hall.room, LINA, moderation.RoomEdit(title=title), new_key="", now=hall.now)
    assert hall.room.title == "Stars"


def test_a_title_in_any_script_is_kept_and_one_that_turns_text_around_is_refused() -> None:
    hall = Hall()
    edit = moderation.RoomEdit(title=" نجوم\u200f صنعاء ")
    moderation.update_room(hall.room, LINA, edit, new_key="", now=hall.now)
    assert hall.room.title == "نجوم صنعاء"
    for title in ("نجوم\u202e صنعاء", "\u2800", "o" + "\u0301" * 96):
        with pytest.raises(TitleInvalid):
            moderation.update_room(hall.room, LINA, moderation.RoomEdit(title=title), new_key="", now=hall.now)
    assert hall.room.title == "نجوم صنعاء"


def test_every_text_of_a_room_takes_every_emoji() -> None:
    for emoji in every_emoji():
        assert texts.clean_title(emoji) == texts.clean_description(emoji) == texts.clean_question(emoji) == emoji
        assert texts.clean_report("text", emoji) == emoji


def seated(hall: Hall, name: str, sign_in_id: str, issued_at: int = 10) -> None:
    """Takes a seat by one of several sign-ins."""
    actor = Actor(name, proof=Proof(sign_in_id, issued_at))
    take_seat(hall.room, actor, "", blocked=False, epoch=hall.epoch(), now=hall.now)


def end(hall: Hall, ended: Ended) -> None:
    end_sign_in(hall.room, ended.user_id, ended, epoch=hall.epoch(), now=hall.now)


def test_the_end_of_a_sign_in_ends_the_seat_it_took_and_no_other_devices() -> None:
    hall = Hall()
    seated(hall, "omar", "phone")
    end(hall, Ended("omar", hall.now, "laptop"))
    assert hall.room.seats["omar"].proof.sign_in_id == "phone"
    end(hall, Ended("omar", hall.now, "phone"))
    assert "omar" not in hall.room.seats
    assert [action for action, _ in hall.orders("omar")] == [SeatAction.END_SIGN_IN, SeatAction.END]


def test_a_seat_of_which_the_sign_in_is_not_known_ends_with_any() -> None:
    hall = Hall()
    hall.listen("omar")
    end(hall, Ended("omar", hall.now, "laptop"))
    assert "omar" not in hall.room.seats


def test_the_end_of_all_sign_ins_leaves_a_seat_taken_since_by_a_newer_one() -> None:
    hall = Hall()
    before, after = int(hall.now.timestamp()) - 1, int(hall.now.timestamp()) + 1
    seated(hall, "omar", "phone", after)
    end(hall, Ended("omar", hall.now))
    assert "omar" in hall.room.seats
    seated(hall, "omar", "phone", before)
    end(hall, Ended("omar", hall.now))
    assert "omar" not in hall.room.seats


def test_of_many_ends_the_oldest_is_forgotten() -> None:
    ended = EndedSignIns(most=2)
    for name in ("a", "b", "c"):
        ended.note(Ended("omar", Hall().now, name))
    assert [ended.has_ended("omar", Proof(name, 1)) for name in ("a", "b", "c")] == [False, True, True]
