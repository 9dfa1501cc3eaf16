"""What a channel mixes and an interpreter hears follows from where people speak and what was said of the booths."""

import random

from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import booth_pb2

from services.media_relay.domain.booths import BoothPart, BoothRule, Mix, Place, mix_of, place_of
from services.media_relay.messages import room_part
from services.programme.channels import FLOOR, THRIFT, Channel, without

ROOM = "room000001"
ARABIC = Channel(ROOM, "ar")
SPEAKING = {1: "", 2: "", 10: "ar", 11: "ar", 20: "ru"}


def arabic(**changes: object) -> dict[str, BoothPart]:
    return {"ar": BoothPart("ar", **changes)}  # type: ignore[arg-type]


def test_the_channel_of_a_language_is_its_interpreter_over_the_floor() -> None:
    mix = mix_of(ARABIC, SPEAKING, arabic(active_member=10), {})
    assert mix == Mix("ar", frozenset({10}), frozenset({11}), frozenset({1, 2}), under_db=-20)


def test_a_booth_without_a_floor_under_it_has_nobody_to_decode_but_its_interpreter() -> None:
    mix = mix_of(ARABIC, SPEAKING, arabic(active_member=10, floor_level_db=-100), {})
    assert mix == Mix("ar", voices=frozenset({10}), ready=frozenset({11}))


def test_a_floor_that_is_off_under_the_interpreter_still_comes_when_nobody_interprets_if_the_booth_says_so() -> None:
    parts = arabic(active_member=10, floor_level_db=-100, rule=BoothRule.FLOOR, floor_after_seconds=8)
    mix = mix_of(ARABIC, SPEAKING, parts, {})
    assert mix == Mix("ar", frozenset({10}), frozenset({11}), frozenset({1, 2}), alone_after_seconds=8)


def test_while_nobody_interprets_a_silent_booth_feeds_nothing() -> None:
    mix = mix_of(ARABIC, SPEAKING, arabic(), {})
    assert not mix.voices
    assert not mix.is_fed
    assert mix.ready == {10, 11}


def test_who_is_said_to_interpret_and_speaks_elsewhere_is_not_heard_in_the_booth() -> None:
    for elsewhere in (1, 20, 99):
        assert not mix_of(ARABIC, SPEAKING, arabic(active_member=elsewhere), {}).voices


def test_a_booth_that_the_room_has_not_is_heard_by_nobody() -> None:
    assert mix_of(ARABIC, SPEAKING, {}, {}) == Mix("ar")
    assert place_of(10, "ar", {}, (), {}) == Place("ar")


def test_an_interpreter_who_would_hear_a_booth_that_is_gone_hears_the_floor() -> None:
    hearing = arabic(active_member=10, hearing=((10, "ru"),))
    assert place_of(10, "ar", hearing, (), {}) == Place("ar", "", True)
    assert place_of(10, "ar", {**hearing, "ru": BoothPart("ru")}, (), {}) == Place("ar", "ru", True)
    assert place_of(11, "ar", hearing, (), {}) == Place("ar")


def test_nobody_is_mixed_where_they_do_not_speak_whatever_the_booths_say() -> None:
    names = ("", "ar", "ru", "en")
    for seed in range(1000):
        chance = random.Random(seed)
        speaking = {member: chance.choice(names) for member in range(1, 9)}
        booths = {
            name: BoothPart(
                name,
                chance.randrange(0, 10),
                chance.choice((0, -20, -40, -100)),
                chance.choice(list(BoothRule)),
                chance.randrange(0, 9),
            )
            for name in names[1:]
            if chance.random() < 0.8
        }
        speaks = {member: chance.choice(names[1:]) for member, booth in speaking.items() if booth == ""}
        for name in (FLOOR, THRIFT, *names[1:], "ar-ar-en", "ru-en"):
            channel = Channel(ROOM, name)
            mix = mix_of(channel, speaking, booths, speaks)
            assert mix.clear <= mix.under
            assert all(speaks[member] in channel.clear for member in mix.clear)
            assert len(mix.voices) <= 1 or name in (FLOOR, THRIFT), "one interpreter at most"
            assert not mix.voices & mix.ready
            assert all(channel.mixes(speaking[member]) for member in mix.voices | mix.ready)
            assert all(speaking[member] == "" for member in mix.under)
            assert not mix.under or name not in (FLOOR, THRIFT)


def test_who_listens_by_language_hears_the_floor_in_full_while_it_is_understood_and_the_booth_else() -> None:
    mix = mix_of(Channel(ROOM, "ar-en"), SPEAKING, arabic(active_member=10, floor_level_db=-100), {1: "en", 2: "ru"})
    assert mix == Mix("ar", frozenset({10}), frozenset({11}), frozenset({1, 2}), frozenset({1}))
    assert mix_of(Channel(ROOM, "ar-en"), SPEAKING, arabic(), {1: "en", 10: "en"}).is_fed, "also without an interpreter"


def test_on_the_floor_the_first_booth_of_ones_languages_helps_with_those_who_are_not_understood() -> None:
    booths = arabic() | {"ru": BoothPart("ru")}
    assert place_of(1, "", booths, ("en", "ru", "ar"), {1: "en", 2: "ar", 3: "fr"}) == Place(
        "", "ru", clear=frozenset({1, 2})
    )
    assert place_of(1, "", booths, ("en",), {1: "en"}) == place_of(1, "", {}, ("ru",), {2: "fr"}) == Place()


def test_a_part_in_a_room_tells_its_booths() -> None:
    part = room_part(
        pb.RoomPart(
            room_id=ROOM,
            booths=[
                room_parts_pb2.BoothPart(
                    language="ar",
                    active_member=10,
                    floor_level_db=-100,
                    rule=booth_pb2.BOOTH_RULE_FLOOR,
                    floor_after_seconds=5,
                    hearing=[room_parts_pb2.Hearing(member=10, channel="ru")],
                ),
                room_parts_pb2.BoothPart(language="ru", rule=booth_pb2.BOOTH_RULE_UNSPECIFIED),
            ],
        )
    )
    assert part.booths == (
        BoothPart("ar", 10, -100, BoothRule.FLOOR, 5, ((10, "ru"),)),
        BoothPart("ru", 0, 0, BoothRule.SILENCE, 0),
    )


def test_who_speaks_over_https_hears_the_floor_without_their_own_voice() -> None:
    speaking = {1: "", 2: "", 3: "ar"}
    assert mix_of(Channel("room000001", without(2)), speaking, {}, {}).voices == {1}
    assert mix_of(Channel("room000001", without(9)), speaking, {}, {}).voices == {1, 2}
