"""Who of a booth is heard: whose sound is there, and who is waited for when it goes."""

from datetime import UTC

import pytest

from services.room_directory.app.parts import part_of
from services.room_directory.domain import interpreters, on_air, stage
from services.room_directory.domain.entry import leave_room
from services.room_directory.domain.errors import NotInBooth, SoundLost
from services.room_directory.domain.events import BoothCause, BoothChanged
from services.room_directory.domain.people import Actor
from services.room_directory.domain.seats import SessionState
from services.room_directory.messages.rooms import booth_of
from tests.unit.room_directory.booth_hall import LINA, active, hall_with, newest, sit
from tests.unit.room_directory.rooms import START


def test_taking_over_swaps_who_is_heard_in_one_fact() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    hall.interpret("omar", "ar")
    assert active(hall.room, "ar") == ["irina"]
    hall.clear()
    assert on_air.take_over(hall.room, Actor("omar"), hall.now) == "ar"
    assert active(hall.room, "ar") == ["omar"]
    assert [type(fact) for fact in hall.room.facts] == [BoothChanged]
    on_air.take_over(hall.room, Actor("omar"), hall.now)
    assert len(hall.room.facts) == 1
    with pytest.raises(NotInBooth):
        on_air.take_over(hall.room, LINA, hall.now)


def test_who_sits_down_and_opens_no_microphone_is_not_heard_and_takes_nobody_off_the_air() -> None:
    hall = hall_with("ar")
    hall.listen("sana")
    offer = interpreters.offer_booth(hall.room, LINA, "sana", "o", hall.now, language="ar")
    stage.accept_offer(hall.room, Actor("sana"), "o", member=hall.member(), epoch=hall.epoch(), now=hall.now)
    assert offer.language == hall.room.stage["sana"].booth
    assert active(hall.room, "ar") == []
    assert part_of(hall.room).booths[0].active_member == 0
    with pytest.raises(SoundLost):
        on_air.take_over(hall.room, Actor("sana"), hall.now)
    hall.interpret("omar", "ar")
    assert active(hall.room, "ar") == ["omar"], "who sat down first has no sound"
    hall.session("omar", SessionState.DOWN)
    assert active(hall.room, "ar") == [], "nor are they heard when nobody else is there"
    hall.session("sana", SessionState.UP)
    assert active(hall.room, "ar") == ["sana"], "at once, when it is there"
    assert (newest(hall).cause, newest(hall).by_user_id) == (BoothCause.BACK, "sana")


def test_a_partner_is_heard_at_once_when_nothing_comes_from_who_was_heard_any_more() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    hall.interpret("omar", "ar")
    hall.stream("irina", True)
    hall.clear()
    hall.session("irina", SessionState.IDLE)
    assert hall.room.stage["irina"].connected, "their page still hears of events"
    assert active(hall.room, "ar") == ["omar"]
    assert [type(fact) for fact in hall.room.facts] == [BoothChanged]
    assert (newest(hall).cause, newest(hall).by_user_id) == (BoothCause.LOST, "irina")
    hall.session("irina", SessionState.UP)
    assert active(hall.room, "ar") == ["omar"], "who comes back takes nobody off the air"


def test_a_partner_waits_a_moment_for_who_was_heard_when_their_relay_went() -> None:
    hall = hall_with("ar")
    for name in ("irina", "omar"):
        hall.interpret(name, "ar")
        hall.stream(name, True)
    on_air.take_over(hall.room, Actor("omar"), hall.now)
    hall.session("omar", SessionState.DOWN, by_leaving_relay=True)
    assert active(hall.room, "ar") == ["omar"], "expected back within the moment"
    hall.wait(2)
    assert active(hall.room, "ar") == ["omar"]
    hall.session("omar", SessionState.UP, "again")
    hall.wait(10)
    assert active(hall.room, "ar") == ["omar"]
    hall.session("omar", SessionState.DOWN, "again", by_leaving_relay=True)
    hall.wait(3.5)
    assert active(hall.room, "ar") == ["irina"], "not for longer"


def test_who_is_alone_in_a_booth_stays_the_one_while_they_are_expected_back() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    hall.stream("irina", True)
    began = hall.room.stage["irina"].heard_since
    hall.session("irina", SessionState.DOWN, by_leaving_relay=True)
    hall.wait(30)
    assert active(hall.room, "ar") == ["irina"]
    hall.wait(40)
    assert active(hall.room, "ar") == [], "but not for ever"
    hall.session("irina", SessionState.UP, "again")
    assert hall.room.stage["irina"].heard_since == began


def test_whoever_lost_their_sound_takes_nobody_off_the_air() -> None:
    hall = hall_with("ar")
    hall.interpret("irina", "ar")
    hall.interpret("omar", "ar")
    hall.session("irina", SessionState.DOWN)
    with pytest.raises(SoundLost):
        on_air.take_over(hall.room, Actor("irina"), hall.now)
    assert active(hall.room, "ar") == ["omar"]


def test_the_partner_who_sat_longest_is_heard_when_the_interpreter_is_lost_and_nobody_when_all_are() -> None:
    hall = hall_with("ar")
    for name in ("irina", "omar", "sana"):
        hall.interpret(name, "ar")
        hall.wait(1)
    on_air.take_over(hall.room, Actor("sana"), hall.now)
    hall.session("sana", SessionState.DOWN)
    assert active(hall.room, "ar") == ["irina"]
    leave_room(hall.room, Actor("irina"), 0, epoch=hall.epoch(), now=hall.now)
    assert active(hall.room, "ar") == ["omar"]
    hall.session("omar", SessionState.DOWN)
    assert active(hall.room, "ar") == []
    assert part_of(hall.room).booths[0].active_member == 0
    hall.session("sana", SessionState.UP, "again")
    assert active(hall.room, "ar") == ["sana"], "who comes back to an empty booth is heard"


def test_a_turn_lasts_through_mutes_and_losses_until_somebody_else_is_heard() -> None:
    hall = hall_with("ar")

    def heard_since() -> float | None:
        booth = booth_of(hall.room, "ar", {})
        if not booth.HasField("heard_since"):
            return None
        return (booth.heard_since.ToDatetime(tzinfo=UTC) - START).total_seconds()

    assert heard_since() is None, "nobody interprets"
    hall.interpret("irina", "ar")
    hall.wait(10)
    stage.set_own_mute(hall.room, Actor("irina"), True, hall.now)
    hall.session("irina", SessionState.DOWN)
    assert heard_since() is None
    hall.wait(10)
    hall.session("irina", SessionState.UP, "again")
    stage.set_own_mute(hall.room, Actor("irina"), False, hall.now)
    assert heard_since() == 0, "hers goes on"
    hall.interpret("omar", "ar")
    on_air.take_over(hall.room, Actor("omar"), hall.now)
    assert heard_since() == 20
    hall.wait(10)
    hall.session("omar", SessionState.DOWN)
    assert heard_since() == 30, "the partner's begins anew"
    hall.session("omar", SessionState.UP, "again")
    on_air.take_over(hall.room, Actor("omar"), hall.now)
    assert heard_since() == 30
    sit(hall, "lina", "ar")
    on_air.take_over(hall.room, LINA, hall.now)
    hall.wait(10)
    sit(hall, "lina", "")
    assert hall.room.stage["lina"].heard_since is None
