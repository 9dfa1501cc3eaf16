"""Booths: who may open them, who sits and is heard there, whom they hear, and what is left when they close."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DomainError, FieldInvalid
from services.room_directory.app.parts import part_of
from services.room_directory.domain import booths, interpreters, on_air, stage
from services.room_directory.domain.deeds import make_moderator, take_back
from services.room_directory.domain.entry import check_media, leave_room
from services.room_directory.domain.errors import (
    BoothFull,
    BoothLoop,
    BoothUnknown,
    LanguageInvalid,
    NotAllowed,
    NothingToTakeBack,
    OfferGone,
    TooManyBooths,
)
from services.room_directory.domain.events import (
    BoothChanged,
    BoothClosed,
    OfferClosed,
    RoomUpdated,
    SeatAction,
    StageSeatChanged,
)
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import BoothRule, DeedKind, MediaKind, SessionState
from tests.unit.room_directory.booth_hall import LINA, active, hall_with, newest, sit
from tests.unit.room_directory.rooms import Hall


def test_a_moderator_opens_a_booth_and_the_room_has_its_channel_at_once() -> None:
    hall = hall_with()
    booths.open_booth(hall.room, LINA, "ar", hall.now)
    assert hall.room.card().languages == ("ar",)
    assert part_of(hall.room).channels == ("floor", "ar")
    assert [type(fact) for fact in hall.room.facts] == [RoomUpdated, BoothChanged]
    assert (newest(hall).booth.rule, newest(hall).booth.floor_level_db) == (BoothRule.SILENCE, -20)
    hall.clear()
    booths.open_booth(hall.room, LINA, "ar", hall.now)
    assert not hall.room.facts, "it is open already"


@pytest.mark.parametrize(
    "language",
    ["", "floor", "AR", "a", "arab", "a1", "ar\n", "zz", "xx", "und", "mul", "mis", "zxx", "qaa", "ara"],
)
def test_a_booth_is_of_a_language_that_people_speak_by_its_shortest_tag(language: str) -> None:
    with pytest.raises(LanguageInvalid):
        booths.open_booth(hall_with().room, LINA, language, Hall().now)


def test_sixteen_booths_are_the_most() -> None:
    hall = hall_with("ar", "en", "fr", "ru", "de", "es", "it", "pt", "zh", "ja", "ko", "tr", "fa", "ur", "hi", "arz")
    with pytest.raises(TooManyBooths):
        booths.open_booth(hall.room, LINA, "sw", hall.now)


def test_who_accepts_a_seat_in_a_booth_interprets_there_and_is_heard() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    seat = hall.room.stage["irina"]
    assert (seat.role, seat.booth, seat.active) == (Role.INTERPRETER, "ar", True)
    assert check_media(hall.room, Actor("irina"), MediaKind.STAGE).epoch == seat.epoch
    assert part_of(hall.room).booths[0].active_member == seat.member
    assert newest(hall).seats == (seat,)


def test_a_booth_has_three_seats() -> None:
    hall = hall_with("ar")
    for name in ("irina", "omar", "sana"):
        hall.interpret(name, "ar")
    hall.listen("nadia")
    with pytest.raises(BoothFull):
        interpreters.offer_booth(hall.room, LINA, "nadia", "o", hall.now, language="ar")
    with pytest.raises(BoothFull):
        sit(hall, "lina", "ar")


def test_an_offer_for_another_place_takes_the_place_of_the_one_before() -> None:
    hall = hall_with("ar")
    hall.listen("omar")
    first = stage.offer_stage(hall.room, LINA, "omar", "o1", hall.now)
    second = interpreters.offer_booth(hall.room, LINA, "omar", "o2", hall.now, language="ar")
    assert interpreters.offer_booth(hall.room, LINA, "omar", "o3", hall.now, language="ar") == second
    assert [fact.offer for fact in hall.facts(OfferClosed) if isinstance(fact, OfferClosed)] == [first]
    with pytest.raises(OfferGone):
        stage.accept_offer(hall.room, Actor("omar"), "o1", member=9, epoch=hall.epoch(), now=hall.now)


def test_a_moderator_goes_into_a_booth_and_back_with_a_new_epoch_each_time_and_leads_all_the_while() -> None:
    hall = hall_with("ar")
    before = hall.room.stage["lina"].epoch
    interpreters.sit_in_booth(hall.room, LINA, "ar", hall.epoch, hall.now)
    assert not active(hall.room, "ar"), "the microphone speaks elsewhere still"
    hall.session("lina", SessionState.UP)
    inside = hall.room.stage["lina"]
    assert (inside.role, inside.booth, inside.active) == (Role.MODERATOR, "ar", True)
    assert inside.epoch == hall.room.seats["lina"].epoch > before
    assert hall.orders("lina") == [(SeatAction.REPLACE, inside.epoch)]
    assert hall.room.floor_of("lina") >= inside.epoch, "an older session never speaks again, over restarts too"
    sit(hall, "lina", "ar")
    assert hall.room.stage["lina"] == inside
    sit(hall, "lina", "")
    outside = hall.room.stage["lina"]
    assert (outside.booth, outside.active, outside.booth_since) == ("", False, None)
    assert outside.epoch > inside.epoch
    assert not newest(hall).seats


def test_an_interpreter_goes_from_booth_to_booth_and_not_onto_the_floor() -> None:
    hall = hall_with("ar", "ru")
    hall.interpret("irina", "ar")
    sit(hall, "irina", "ru")
    assert (active(hall.room, "ar"), active(hall.room, "ru")) == ([], ["irina"])
    with pytest.raises(NotAllowed):
        sit(hall, "irina", "")
    with pytest.raises(BoothUnknown):
        sit(hall, "irina", "fr")


def test_a_booth_that_hears_ones_own_is_refused_over_any_number_of_others() -> None:
    hall = hall_with("ar", "ru", "fr")
    for name, language in (("irina", "ar"), ("omar", "ru"), ("sana", "fr")):
        hall.interpret(name, language)
    with pytest.raises(BoothLoop):
        booths.set_hearing(hall.room, Actor("irina"), "ar", hall.now)
    booths.set_hearing(hall.room, Actor("irina"), "ru", hall.now)
    booths.set_hearing(hall.room, Actor("omar"), "fr", hall.now)
    with pytest.raises(BoothLoop):
        booths.set_hearing(hall.room, Actor("sana"), "ar", hall.now)
    member = hall.room.stage["irina"].member
    assert part_of(hall.room).booths[0].hearing == ((member, "ru"),)
    booths.set_hearing(hall.room, Actor("irina"), "", hall.now)
    booths.set_hearing(hall.room, Actor("sana"), "ar", hall.now)
    with pytest.raises(BoothUnknown):
        booths.set_hearing(hall.room, Actor("sana"), "de", hall.now)


def test_a_channel_carries_what_its_own_interpreters_or_a_moderator_say() -> None:
    hall = hall_with("ar", "ru")
    hall.interpret("irina", "ar")

    def set_level(who: str, language: str, level: int) -> None:
        booths.set_booth(
            hall.room, Actor(who), language, rule=BoothRule.FLOOR, floor_after_seconds=3, floor_level_db=level,
            now=hall.now,
        )  # fmt: skip

    set_level("irina", "ar", booths.FLOOR_OFF_DB)
    changed = newest(hall).booth
    assert (changed.rule, changed.floor_after_seconds, changed.floor_level_db) == (BoothRule.FLOOR, 3, -100)
    with pytest.raises(NotAllowed):
        set_level("irina", "ru", 0)
    set_level("lina", "ru", 0)
    for level in (-99, -41, 1):
        with pytest.raises(FieldInvalid):
            set_level("lina", "ru", level)


def test_a_closed_booth_leaves_interpreters_listening_moderators_on_the_floor_and_no_offer_or_ear() -> None:
    hall = hall_with("ar", "ru")
    hall.interpret("irina", "ar")
    hall.interpret("omar", "ru")
    sit(hall, "lina", "ar")
    booths.set_hearing(hall.room, Actor("omar"), "ar", hall.now)
    hall.listen("nadia")
    interpreters.offer_booth(hall.room, LINA, "nadia", "o", hall.now, language="ar")
    hall.clear()
    interpreters.close_booth(hall.room, LINA, "ar", hall.epoch, hall.now)
    assert hall.room.role_of("irina") is Role.LISTENER
    assert hall.room.stage["lina"].booth == ""
    assert {action for name in ("irina", "lina") for action, _ in hall.orders(name)} == {SeatAction.REPLACE}
    assert hall.room.stage["omar"].hears == ""
    assert not hall.room.offers
    assert part_of(hall.room).channels == ("floor", "ru")
    assert len(hall.facts(BoothClosed)) == 1
    interpreters.close_booth(hall.room, LINA, "ar", hall.epoch, hall.now)
    assert len(hall.facts(BoothClosed)) == 1


def test_a_listener_hears_a_language_that_has_a_booth_and_no_other() -> None:
    hall = hall_with("ar")
    hall.listen("omar")
    check_media(hall.room, Actor("omar"), MediaKind.AUDIENCE, Wish("ar"))
    with pytest.raises(BoothUnknown):
        check_media(hall.room, Actor("omar"), MediaKind.AUDIENCE, Wish("ru"))


def test_an_interpreter_who_went_onto_the_floor_as_a_moderator_is_not_made_one_again_there() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    make_moderator(hall.room, LINA, "irina", hall.now)
    sit(hall, "irina", "")
    with pytest.raises(NothingToTakeBack):
        take_back(hall.room, LINA, DeedKind.MAKE_MODERATOR, "irina", hall.now)
    assert hall.room.role_of("irina") is Role.MODERATOR


PEOPLE = ("lina", "irina", "omar", "sana", "nadia")
LANGUAGES = ("ar", "ru", "fr")
steps = st.lists(
    st.tuples(
        st.sampled_from(("open", "close", "interpret", "sit", "floor", "over", "hear", "drop", "back", "leave")),
        st.sampled_from(PEOPLE),
        st.sampled_from(LANGUAGES),
    ),
    max_size=40,
)


def do(hall: Hall, what: str, name: str, language: str) -> None:
    """One step; what the rules refuse changes nothing."""
    room, actor, now = hall.room, Actor(name), hall.now
    match what:
        case "open":
            booths.open_booth(room, actor, language, now)
        case "close":
            interpreters.close_booth(room, actor, language, hall.epoch, now)
        case "interpret":
            hall.interpret(name, language)
        case "sit":
            interpreters.sit_in_booth(room, actor, language, hall.epoch, now)
        case "floor":
            interpreters.sit_in_booth(room, actor, "", hall.epoch, now)
        case "over":
            on_air.take_over(room, actor, now)
        case "hear":
            booths.set_hearing(room, actor, language, now)
        case "drop" | "back" if name in room.seats:
            hall.session(name, SessionState.DOWN if what == "drop" else SessionState.UP, f"s{hall.epoch()}")
        case "leave":
            leave_room(room, actor, 0, epoch=hall.epoch(), now=now)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_happens_each_booth_has_one_voice_of_those_there_and_none_hears_itself(
    doings: list[tuple[str, str, str]],
) -> None:
    hall = hall_with("ar", "ru")
    for what, name, language in doings:
        epochs = {seat.user_id: (seat.booth, seat.epoch) for seat in hall.room.stage.values()}
        try:
            do(hall, what, name, language)
        except DomainError:
            continue
        room = hall.room
        for seat in room.stage.values():
            assert seat.booth == "" or seat.booth in room.booths
            assert seat.hears == "" or (seat.booth and seat.hears in room.booths)
            assert (seat.booth_since is None) is (seat.booth == "")
            if seat.role is Role.INTERPRETER:
                assert seat.booth
            booth, epoch = epochs.get(seat.user_id, (seat.booth, 0))
            assert booth == seat.booth or seat.epoch > epoch, "who speaks elsewhere has a new epoch"
        for language_of in room.booths:
            sounding = {user_id for user_id, seat in room.seats.items() if seat.sounds()}
            there = sounding & {seat.user_id for seat in room.in_booth(language_of)}
            heard = active(room, language_of)
            assert len(heard) == min(1, len(there)), "nobody leaves but by their own doing, so that none is waited for"
            assert set(heard) <= there
            assert len(room.in_booth(language_of)) <= booths.MOST_SEATS
            for seat in room.in_booth(language_of):
                assert not seat.hears or language_of not in booths.booths_heard_in(room, seat.hears)


def test_a_seat_that_changes_in_a_booth_tells_of_the_booth_too() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    hall.clear()
    stage.set_own_mute(hall.room, Actor("irina"), True, hall.now)
    assert [type(fact) for fact in hall.room.facts] == [StageSeatChanged, BoothChanged]
    assert newest(hall).seats[0].muted
