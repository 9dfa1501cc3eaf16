"""The stage: offers, microphones, stepping down."""

import pytest

from services.room_directory.domain import stage
from services.room_directory.domain.errors import LastModerator, NotAllowed, NotInRoom, OfferGone, StageFull
from services.room_directory.domain.events import (
    OfferCause,
    OfferClosed,
    SeatAction,
    StageCause,
    StageJoined,
    StageLeft,
)
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import Rules
from tests.unit.room_directory.rooms import Hall

LINA, OMAR = Actor("lina"), Actor("omar")


def test_accepting_an_offer_makes_a_speaker_with_the_microphone_on_and_a_new_epoch() -> None:
    hall = Hall()
    epoch = hall.listen("omar")
    hall.speak("omar")
    seat = hall.room.stage["omar"]
    assert (seat.role, seat.muted) == (Role.SPEAKER, False)
    assert hall.room.seats["omar"].epoch == seat.epoch > epoch
    assert hall.orders("omar")[-1] == (SeatAction.REPLACE, seat.epoch)
    assert hall.facts(StageJoined)


def test_offering_again_returns_the_open_offer() -> None:
    hall = Hall()
    hall.listen("omar")
    first = stage.offer_stage(hall.room, LINA, "omar", "one", hall.now)
    revision = hall.room.revision
    assert stage.offer_stage(hall.room, LINA, "omar", "two", hall.now) == first
    assert hall.room.revision == revision


def test_an_offer_is_gone_after_thirty_seconds() -> None:
    hall = Hall()
    hall.listen("omar")
    stage.offer_stage(hall.room, LINA, "omar", "one", hall.now)
    hall.wait(30)
    closed = hall.facts(OfferClosed)[-1]
    assert isinstance(closed, OfferClosed)
    assert closed.cause is OfferCause.EXPIRED
    with pytest.raises(OfferGone):
        stage.accept_offer(hall.room, OMAR, "one", member=9, epoch=hall.epoch(), now=hall.now)


@pytest.mark.parametrize("how", ["declined", "withdrawn"])
def test_an_offer_that_was_closed_cannot_be_accepted(how: str) -> None:
    hall = Hall()
    hall.listen("omar")
    stage.offer_stage(hall.room, LINA, "omar", "one", hall.now)
    if how == "declined":
        stage.decline_offer(hall.room, OMAR, "one", hall.now)
    else:
        stage.withdraw_offer(hall.room, LINA, "omar", hall.now)
    with pytest.raises(OfferGone):
        stage.accept_offer(hall.room, OMAR, "one", member=9, epoch=hall.epoch(), now=hall.now)


def test_somebody_who_is_not_there_cannot_be_offered_the_stage() -> None:
    with pytest.raises(NotInRoom):
        stage.offer_stage(Hall().room, LINA, "stranger", "one", Hall().now)


def test_a_full_stage_takes_nobody() -> None:
    hall = Hall(rules=Rules(stage_limit=2))
    hall.listen("omar")
    hall.listen("nadia")
    stage.offer_stage(hall.room, LINA, "omar", "one", hall.now)
    stage.offer_stage(hall.room, LINA, "nadia", "two", hall.now)
    stage.accept_offer(hall.room, OMAR, "one", member=9, epoch=hall.epoch(), now=hall.now)
    with pytest.raises(StageFull):
        stage.accept_offer(hall.room, Actor("nadia"), "two", member=10, epoch=hall.epoch(), now=hall.now)


def test_a_muted_speaker_may_unmute_again() -> None:
    hall = Hall()
    hall.speak("omar")
    hall.clear()
    stage.mute_speaker(hall.room, LINA, "omar", hall.now)
    assert (hall.room.stage["omar"].muted, hall.room.stage["omar"].muted_by_moderator) == (True, True)
    stage.set_own_mute(hall.room, OMAR, False, hall.now)
    assert (hall.room.stage["omar"].muted, hall.room.stage["omar"].muted_by_moderator) == (False, False)
    assert [action for action, _ in hall.orders("omar")] == [SeatAction.MUTE, SeatAction.UNMUTE]


def test_muting_what_is_muted_orders_nothing() -> None:
    hall = Hall()
    hall.speak("omar")
    stage.set_own_mute(hall.room, OMAR, True, hall.now)
    hall.clear()
    stage.set_own_mute(hall.room, OMAR, True, hall.now)
    assert not hall.room.facts
    assert not hall.room.orders


def test_the_last_moderator_cannot_step_down_but_one_of_two_can() -> None:
    hall = Hall()
    hall.session("lina", hall.room.seats["lina"].session.UP)
    with pytest.raises(LastModerator):
        stage.leave_stage(hall.room, LINA, epoch=hall.epoch(), now=hall.now)
    hall.speak("omar")
    stage.make_moderator(hall.room, LINA, "omar", hall.now)
    stage.leave_stage(hall.room, LINA, epoch=hall.epoch(), now=hall.now)
    assert hall.room.role_of("lina") is Role.LISTENER


def test_moderators_cannot_put_each_other_down() -> None:
    hall = Hall()
    hall.speak("omar")
    stage.make_moderator(hall.room, LINA, "omar", hall.now)
    with pytest.raises(NotAllowed):
        stage.move_to_audience(hall.room, OMAR, "lina", epoch=hall.epoch(), now=hall.now)


def test_going_back_to_the_audience_is_told_with_its_cause_and_voids_older_sessions() -> None:
    hall = Hall()
    hall.speak("omar")
    epoch = hall.epoch()
    stage.move_to_audience(hall.room, LINA, "omar", epoch=epoch, now=hall.now)
    left = hall.facts(StageLeft)[-1]
    assert isinstance(left, StageLeft)
    assert (left.cause, left.by_user_id) == (StageCause.MOVED, "lina")
    assert hall.room.floor_of("omar") == epoch
    assert hall.orders("omar")[-1] == (SeatAction.REPLACE, epoch)


def test_a_member_number_is_never_given_twice_in_a_room() -> None:
    hall = Hall()
    hall.listen("omar")
    stage.offer_stage(hall.room, LINA, "omar", "one", hall.now)
    with pytest.raises(ValueError, match="member"):
        stage.accept_offer(hall.room, OMAR, "one", member=1, epoch=hall.epoch(), now=hall.now)
    assert hall.room.role_of("omar") is Role.LISTENER
