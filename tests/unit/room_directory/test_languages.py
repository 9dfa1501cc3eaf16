"""Languages: what people on stage speak, what listeners want to hear, and what relays are told of both."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.common.errors import ScopeMissing
from services.room_directory.app.parts import part_of
from services.room_directory.domain import booths, interpreters, moderation, on_air, stage
from services.room_directory.domain.entry import check_media
from services.room_directory.domain.errors import BoothUnknown, LanguageInvalid, NotAllowed, NotOnStage
from services.room_directory.domain.events import BoothCause, BoothChanged, RoomUpdated, StageSeatChanged
from services.room_directory.domain.hands import raise_hand
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import create_room
from services.room_directory.domain.seats import HandMode, MediaKind, Rules, SessionState, Visibility
from tests.unit.room_directory.rooms import START, Hall

LINA, OMAR, SANA = Actor("lina"), Actor("omar"), Actor("sana")


def hall_with(*languages: str) -> Hall:
    hall = Hall()
    hall.session("lina", SessionState.UP)
    for language in languages:
        booths.open_booth(hall.room, LINA, language, hall.now)
    hall.clear()
    return hall


def come_on_stage(hall: Hall, name: str, *, hand: str | None = None, profile: str = "") -> str:
    """Brings somebody on stage; returns what they are taken to speak."""
    hall.listen(name)
    if hand is not None:
        raise_hand(hall.room, Actor(name), "", hall.now, language=hand)
    offer = stage.offer_stage(hall.room, LINA, name, f"offer-{name}", hall.now)
    stage.accept_offer(
        hall.room,
        Actor(name),
        offer.offer_id,
        member=hall.member(),
        epoch=hall.epoch(),
        now=hall.now,
        speaks=profile,
    )
    return hall.room.stage[name].speaks


def test_who_comes_on_stage_speaks_what_their_hand_says_then_their_profile_then_the_room() -> None:
    hall = Hall()
    assert hall.room.stage["lina"].speaks == "en", "whoever starts a room says in which language"
    assert come_on_stage(hall, "omar", hand="ar", profile="ru") == "ar"
    assert come_on_stage(hall, "sana", hand="", profile="ru") == "ru"
    assert come_on_stage(hall, "nadia") == "en"


def test_people_on_stage_say_themselves_what_they_speak_and_moderators_for_others() -> None:
    hall = hall_with()
    hall.speak("omar")
    hall.speak("sana")
    hall.clear()
    stage.set_spoken_language(hall.room, OMAR, "omar", "ar", hall.now)
    stage.set_spoken_language(hall.room, LINA, "sana", "ru", hall.now)
    assert (hall.room.stage["omar"].speaks, hall.room.stage["sana"].speaks) == ("ar", "ru")
    assert [type(fact) for fact in hall.room.facts] == [StageSeatChanged, StageSeatChanged]
    hall.clear()
    stage.set_spoken_language(hall.room, OMAR, "omar", "ar", hall.now)
    assert not hall.room.facts, "it is so already"
    with pytest.raises(NotAllowed):
        stage.set_spoken_language(hall.room, SANA, "omar", "en", hall.now)
    with pytest.raises(LanguageInvalid):
        stage.set_spoken_language(hall.room, OMAR, "omar", "Arabic", hall.now)
    hall.listen("nadia")
    with pytest.raises(NotOnStage):
        stage.set_spoken_language(hall.room, LINA, "nadia", "ar", hall.now)
    with pytest.raises(NotOnStage):
        stage.set_spoken_language(hall.room, Actor("nadia"), "nadia", "ar", hall.now)


def test_an_interpreter_speaks_the_language_of_the_booth() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    assert hall.room.stage["irina"].speaks == "ar"
    with pytest.raises(NotAllowed):
        stage.set_spoken_language(hall.room, Actor("irina"), "irina", "ru", hall.now)


def test_relays_are_told_what_those_on_the_floor_speak_and_of_nobody_in_a_booth() -> None:
    hall = hall_with("ar")
    hall.speak("omar")
    hall.interpret("irina", "ar")
    stage.set_spoken_language(hall.room, OMAR, "omar", "ru", hall.now)
    numbers = {name: seat.member for name, seat in hall.room.stage.items()}
    assert part_of(hall.room).members == tuple(sorted([(numbers["lina"], "en"), (numbers["omar"], "ru")]))
    interpreters.sit_in_booth(hall.room, OMAR, "ar", hall.epoch, hall.now)
    assert part_of(hall.room).members == ((numbers["lina"], "en"),)
    interpreters.sit_in_booth(hall.room, OMAR, "", hall.epoch, hall.now)
    assert (numbers["omar"], "ru") in part_of(hall.room).members, "back on the floor they speak what they did"


@pytest.mark.parametrize(
    ("wish", "channel", "by_relay"),
    [
        (Wish.of("", []), "floor", ()),
        (Wish.of("", ["ar", "en", "ar"]), "floor", ("ar", "en")),
        (Wish.of("ru", ["ar", "en"]), "ru", ()),
        (Wish.of("floor", ["ar"]), "floor", ()),
    ],
)
def test_what_was_chosen_by_hand_goes_before_what_a_person_understands(
    wish: Wish, channel: str, by_relay: tuple[str, ...]
) -> None:
    assert (wish.channel, wish.chosen_by_relay) == (channel, by_relay)


@pytest.mark.parametrize("understands", [["Arabic"], ["ar", ""], ["a"], list("abcdefg")])
def test_a_list_that_is_none_is_refused(understands: list[str]) -> None:
    with pytest.raises(LanguageInvalid):
        Wish.of("", understands)


def test_a_listener_may_choose_the_floor_by_hand_or_give_languages_without_a_booth() -> None:
    hall = hall_with("ar")
    hall.listen("omar")
    check_media(hall.room, OMAR, MediaKind.AUDIENCE, Wish.of("floor", []))
    check_media(hall.room, OMAR, MediaKind.AUDIENCE, Wish.of("", ["ka", "ru"]))
    with pytest.raises(BoothUnknown):
        check_media(hall.room, OMAR, MediaKind.AUDIENCE, Wish.of("ka", []))


def test_a_room_may_begin_with_booths_and_as_a_rehearsal_until_a_moderator_goes_live() -> None:
    room = create_room(
        room_id="room000000000002", request_id="r", creator_id="lina", title="Stars", description="", language="en",
        visibility=Visibility.OPEN, hand_mode=HandMode.EVERYONE, room_key="k", home_relay_id="relay00000", member=1,
        epoch=1, rules=Rules(), languages=("ru", "ar"), rehearsal=True, now=START,
    )  # fmt: skip
    assert (room.card().languages, room.card().rehearsal) == (("ru", "ar"), True)
    opened = [booth.opened_at for booth in room.booths.values()]
    assert opened == sorted(set(opened)), "rows keep their order"
    part = part_of(room)
    assert (part.rehearsal, part.channels) == (True, ("floor", "ru", "ar"))
    room.facts.clear()
    with pytest.raises(NotAllowed):
        moderation.go_live(room, OMAR, START)
    moderation.go_live(room, LINA, START)
    moderation.go_live(room, LINA, START)
    assert not part_of(room).rehearsal
    assert [type(fact) for fact in room.facts] == [RoomUpdated], "the second time it is so already"


CAUSES: list[tuple[Callable[[Hall], object], BoothCause]] = [
    (lambda hall: hall.interpret("nadia", "ar"), BoothCause.SEATED),
    (lambda hall: interpreters.sit_in_booth(hall.room, Actor("irina"), "ru", hall.epoch, hall.now), BoothCause.LEFT),
    (lambda hall: stage.mute_speaker(hall.room, LINA, "irina", hall.now), BoothCause.MUTED),
    (lambda hall: on_air.take_over(hall.room, Actor("salim"), hall.now), BoothCause.TAKEN_OVER),
    (lambda hall: hall.session("irina", SessionState.DOWN), BoothCause.LOST),
    (
        lambda hall: stage.move_to_audience(hall.room, LINA, "irina", epoch=hall.epoch(), now=hall.now),
        BoothCause.LEFT,
    ),
]


def test_what_one_speaks_needs_the_scope_of_speech_and_what_others_speak_that_of_leading() -> None:
    hall = Hall()
    hall.speak("omar")
    with pytest.raises(ScopeMissing) as refused:
        stage.set_spoken_language(hall.room, Actor("omar", may_speak=False), "omar", "ar", hall.now)
    assert refused.value.metadata == {"scope": "speak"}
    with pytest.raises(ScopeMissing) as refused:
        stage.set_spoken_language(hall.room, Actor("lina", may_lead=False), "omar", "ar", hall.now)
    assert refused.value.metadata == {"scope": "rooms"}
    stage.set_spoken_language(hall.room, Actor("omar", may_lead=False), "omar", "ar", hall.now)
    stage.set_spoken_language(hall.room, Actor("lina", may_speak=False), "omar", "ru", hall.now)
    assert hall.room.stage["omar"].speaks == "ru"


def test_what_is_no_language_is_neither_spoken_nor_raised_and_changes_nothing_for_who_understands_it() -> None:
    hall = Hall()
    hall.speak("omar")
    hall.listen("nadia")
    with pytest.raises(LanguageInvalid):
        stage.set_spoken_language(hall.room, OMAR, "omar", "und", hall.now)
    with pytest.raises(LanguageInvalid):
        raise_hand(hall.room, Actor("nadia"), "Why?", hall.now, language="zz")
    assert Wish.of("", ("zz", "ar")).chosen_by_relay == ("zz", "ar"), "a profile may name it, and nobody is kept out"


@pytest.mark.parametrize(("do", "cause"), CAUSES)
def test_a_booth_that_changed_says_why(do: Callable[[Hall], object], cause: BoothCause) -> None:
    hall = hall_with("ar", "ru")
    hall.interpret("irina", "ar")
    hall.interpret("salim", "ar")
    hall.clear()
    do(hall)
    told = [fact for fact in hall.facts(BoothChanged) if isinstance(fact, BoothChanged)]
    assert next(fact.cause for fact in told if fact.booth.language == "ar") is cause


def test_a_booth_from_which_nothing_is_heard_is_marked_until_something_is() -> None:
    hall = hall_with("ar", "ru")
    since = hall.now - timedelta(seconds=10)
    booths.hear_silence(hall.room, {"ar": since}, hall.now)
    booths.hear_silence(hall.room, {"ar": since}, hall.now)
    told = [fact for fact in hall.facts(BoothChanged) if isinstance(fact, BoothChanged)]
    assert [(fact.booth.language, fact.silent_since, fact.cause) for fact in told] == [
        ("ar", since, BoothCause.SILENCE)
    ]
    booths.hear_silence(hall.room, {}, hall.now)
    newest = hall.facts(BoothChanged)[-1]
    assert isinstance(newest, BoothChanged)
    assert newest.silent_since is None
    booths.hear_silence(hall.room, {"ar": since}, hall.now)
    interpreters.close_booth(hall.room, LINA, "ar", hall.epoch, hall.now)
    assert not hall.room.silent, "what is closed is not silent"


def test_who_hears_by_their_languages_needs_the_channel_that_they_come_to_and_who_chose_the_one_they_chose() -> None:
    hall = hall_with("ar", "ru")
    assert hall.room.spoken == {"en"}
    assert Wish.of("", ["ar", "ru"]).heard_in(hall.room.booths, hall.room.spoken) == "ar"
    come_on_stage(hall, "omar", hand="ar")
    assert Wish.of("", ["ar", "ru"]).heard_in(hall.room.booths, hall.room.spoken) == "ar-ar"
    assert Wish.of("", ["ar", "en"]).heard_in(hall.room.booths, hall.room.spoken) == "floor"
    assert Wish.of("ru", ["ar"]).heard_in(hall.room.booths, hall.room.spoken) == "ru"
    assert Wish().heard_in(hall.room.booths, hall.room.spoken) == "floor"
