"""Hands go up, keep their place, and come down."""

from datetime import timedelta

import pytest

from services.common.errors import FieldInvalid
from services.room_directory.domain import hands, moderation, stage
from services.room_directory.domain.errors import HandsOff, NotAllowed, NotInRoom, TooManyHands
from services.room_directory.domain.events import HandLowered, HandRaised, HandsAttended
from services.room_directory.domain.people import Actor
from services.room_directory.domain.seats import HandCause, HandMode, Rules
from tests.unit.room_directory.rooms import Hall


def up(hall: Hall, name: str, question: str = "") -> None:
    hands.raise_hand(hall.room, Actor(name), question, hall.now)


def look(hall: Hall, seconds: float) -> None:
    """A moderator has the queue before them for so long, as a client tells it."""
    for _ in range(int(seconds // 10)):
        hands.attend(hall.room, Actor("lina"), hall.now)
        hall.wait(10)


def test_hands_are_queued_in_the_order_they_went_up() -> None:
    hall = Hall()
    for name in ("omar", "nadia", "yusuf"):
        hall.listen(name)
        up(hall, name)
    assert list(hall.room.hands) == ["omar", "nadia", "yusuf"]
    assert hall.room.hand_position("nadia") == 2


def test_raising_again_keeps_the_place_and_renews_the_time() -> None:
    hall = Hall()
    hall.listen("omar")
    hall.listen("nadia")
    up(hall, "omar", "first thought")
    up(hall, "nadia")
    look(hall, 40)
    up(hall, "omar", "second thought")
    assert hall.room.hand_position("omar") == 1
    look(hall, 40)
    assert list(hall.room.hands) == ["omar"]
    assert hall.room.hands["omar"].question == "second thought"


def test_a_hand_falls_by_itself_after_a_minute() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar")
    look(hall, 50)
    hands.attend(hall.room, Actor("lina"), hall.now)
    hall.wait(9.5)
    assert "omar" in hall.room.hands
    hall.wait(0.5)
    lowered = hall.facts(HandLowered)[-1]
    assert isinstance(lowered, HandLowered)
    assert (lowered.user_id, lowered.cause, lowered.hand_count) == ("omar", HandCause.EXPIRED, 0)


def test_a_hand_that_no_moderator_looks_at_stays_up_with_all_its_time() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar")
    hall.wait(300)
    assert hands.time_left(hall.room, hall.room.hands["omar"]).total_seconds() == 60
    look(hall, 50)
    assert "omar" in hall.room.hands
    look(hall, 10)
    assert "omar" not in hall.room.hands


def test_a_hands_time_goes_on_where_the_last_moderator_looked_away() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar")
    look(hall, 30)
    hall.wait(200)  # the last word of a moderator counts for fifteen seconds: five more
    assert hands.time_left(hall.room, hall.room.hands["omar"]).total_seconds() == 25
    look(hall, 20)
    assert "omar" in hall.room.hands
    look(hall, 10)
    assert "omar" not in hall.room.hands


def test_whose_hand_is_up_is_told_when_its_time_stops_and_when_it_runs_again() -> None:
    hall = Hall()
    hall.listen("omar")
    look(hall, 30)
    assert hall.facts(HandsAttended) == [], "nobody waits: nothing to tell"
    up(hall, "omar")
    hall.wait(100)
    look(hall, 20)
    told = [fact.attended for fact in hall.facts(HandsAttended) if isinstance(fact, HandsAttended)]
    assert told == [False, True]


def test_a_hand_raised_while_nobody_looks_has_no_end_yet() -> None:
    hall = Hall()
    hall.listen("omar")
    hall.listen("nadia")
    up(hall, "omar")
    hands.attend(hall.room, Actor("lina"), hall.now)
    up(hall, "nadia")
    told = [(fact.hand.user_id, fact.time_left) for fact in hall.facts(HandRaised) if isinstance(fact, HandRaised)]
    assert (told[0], told[-1]) == (("omar", timedelta(seconds=60)), ("nadia", None))


def test_after_a_restart_the_first_look_tells_until_when_each_hand_is_up() -> None:
    hall = Hall()
    for name in ("omar", "nadia"):
        hall.listen(name)
        up(hall, name)
    look(hall, 30)
    # As rows give the room back to the next process: until when somebody looked is not among them.
    hall.room.attended, hall.room.attended_until = False, None
    before = len(hall.facts(HandRaised))
    hands.attend(hall.room, Actor("lina"), hall.now)
    told = [fact for fact in hall.facts(HandRaised)[before:] if isinstance(fact, HandRaised)]
    assert [(fact.hand.user_id, fact.position) for fact in told] == [("omar", 1), ("nadia", 2)]
    assert {fact.time_left for fact in told} == {None}
    assert {fact.hand.expires_at for fact in told} == {hall.now + timedelta(seconds=60)}


def test_only_a_moderator_lets_hands_run_out() -> None:
    hall = Hall()
    hall.listen("omar")
    with pytest.raises(NotAllowed):
        hands.attend(hall.room, Actor("omar"), hall.now)


def test_who_declines_the_stage_lowers_their_hand_with_it() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar")
    offer = stage.offer_stage(hall.room, Actor("lina"), "omar", "offer", hall.now)
    stage.decline_offer(hall.room, Actor("omar"), offer.offer_id, hall.now)
    lowered = hall.facts(HandLowered)[-1]
    assert isinstance(lowered, HandLowered)
    assert (lowered.user_id, lowered.cause) == ("omar", HandCause.DECLINED)


def test_speaker_cannot_raise_hand() -> None:
    hall = Hall()
    hall.speak("sana")
    with pytest.raises(NotAllowed):
        up(hall, "sana")


def test_a_stranger_lowering_a_hand_is_told_that_they_are_not_in_the_room() -> None:
    with pytest.raises(NotInRoom):
        hands.lower_hand(Hall().room, Actor("stranger"), Hall().now)


def test_switching_hands_off_lowers_all_with_one_event_and_refuses_new_ones() -> None:
    hall = Hall()
    for name in ("omar", "nadia"):
        hall.listen(name)
        up(hall, name)
    edit = moderation.RoomEdit(hand_mode=HandMode.OFF)
    hall.clear()
    moderation.update_room(hall.room, Actor("lina"), edit, new_key="", now=hall.now)
    (lowered,) = hall.facts(HandLowered)
    assert isinstance(lowered, HandLowered)
    assert (lowered.user_id, lowered.cause) == ("", HandCause.HANDS_OFF)
    with pytest.raises(HandsOff):
        up(hall, "omar")


def test_the_queue_takes_no_more_hands_than_its_limit_but_lets_a_raised_one_renew() -> None:
    hall = Hall(rules=Rules(hand_limit=1))
    hall.listen("omar")
    hall.listen("nadia")
    up(hall, "omar")
    with pytest.raises(TooManyHands):
        up(hall, "nadia")
    up(hall, "omar", "still here")
    assert len(hall.facts(HandRaised)) == 2


def test_coming_on_stage_takes_the_hand_down() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar")
    hall.speak("omar")
    lowered = hall.facts(HandLowered)[-1]
    assert isinstance(lowered, HandLowered)
    assert lowered.cause is HandCause.ON_STAGE


def test_a_question_is_kept_on_one_line_without_hidden_characters() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar", "why\n\u200eno\u200c?")
    assert hall.room.hands["omar"].question == "why no?"


def test_a_question_that_turns_text_around_or_overprints_is_refused_and_raises_no_hand() -> None:
    hall = Hall()
    hall.listen("omar")
    for question in ("why\u202e", "why" + "\u0301" * 96):
        with pytest.raises(FieldInvalid):
            up(hall, "omar", question)
    assert "omar" not in hall.room.hands


def test_dismissing_a_hand_that_is_down_changes_nothing() -> None:
    hall = Hall()
    hall.listen("omar")
    revision, queue_revision = hall.room.revision, hall.room.queue_revision
    hands.dismiss_hand(hall.room, Actor("lina"), "omar", hall.now)
    assert hall.room.queue_revision == queue_revision
    stage.withdraw_offer(hall.room, Actor("lina"), "omar", hall.now)
    assert hall.room.revision == revision


def test_a_hand_tells_who_asks_what_in_which_language_and_at_which_place() -> None:
    hall = Hall()
    for name in ("omar", "nadia"):
        hall.listen(name)
    hands.raise_hand(hall.room, Actor("omar"), "", hall.now)
    hands.raise_hand(hall.room, Actor("nadia"), "And then?", hall.now, language="ar")
    raised = hall.facts(HandRaised)[-1]
    assert isinstance(raised, HandRaised)
    assert (raised.hand.user_id, raised.hand.question, raised.hand.language) == ("nadia", "And then?", "ar")
    assert (raised.position, raised.hand_count) == (2, 2)


def test_hands_are_counted_apart_so_that_the_room_has_no_gap_for_those_who_are_not_told() -> None:
    hall = Hall()
    for name in ("omar", "nadia"):
        hall.listen(name)
    revision = hall.room.revision
    up(hall, "omar")
    up(hall, "nadia")
    hands.dismiss_hand(hall.room, Actor("lina"), "omar", hall.now)
    told = [fact for fact in hall.room.facts if isinstance(fact, HandRaised | HandLowered)]
    assert [(fact.revision, fact.queue_revision) for fact in told] == [(revision, 1), (revision, 2), (revision, 3)]
    assert hall.room.revision == revision


def test_a_new_name_of_somebody_whose_hand_is_up_is_told() -> None:
    hall = Hall()
    hall.listen("omar")
    up(hall, "omar", "Why?")
    hall.clear()
    moderation.renamed(hall.room, "omar", hall.now)
    (raised,) = hall.facts(HandRaised)
    assert isinstance(raised, HandRaised)
    assert (raised.hand.question, raised.position) == ("Why?", 1)
