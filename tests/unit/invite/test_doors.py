"""The pace at which newcomers come in, and the line before the doors."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.common.errors import FieldInvalid
from services.invite.domain.doors import (
    MINUTE,
    OPEN_SHARE,
    Cause,
    Doors,
    DoorState,
    Override,
    Pace,
    checked_override,
)
from services.invite.domain.headroom import Headroom
from services.invite.domain.line import TURN_SECONDS, Entered, Line, Standing, Turns, free_now, look_again, ticket

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
FULL = Headroom(0, 1000, 1, 1800.0)
ANY = some.builds(
    Headroom,
    some.integers(0, 5000),
    some.integers(1, 5000),
    some.just(1),
    some.floats(300.0, 7200.0),
    some.floats(0.0, 50.0),
)


def room(free: int, seats: int = 1000, stay: float = 1800.0) -> Headroom:
    return Headroom(free, seats, 1, stay)


def order(state: DoorState, a_minute: int = 0, reason: str = "a test", hours: float = 1.0) -> Override:
    until = NOW + timedelta(hours=hours)
    return checked_override(state=state, a_minute=a_minute, reason=reason, operator_id="lina", since=NOW, until=until)


def test_doors_stand_open_while_half_the_seats_are_free() -> None:
    assert Doors().pace(room(500), None, NOW) == Pace(DoorState.OPEN, Cause.HEADROOM, 250)


def test_paced_doors_let_in_what_free_seats_can_hold_for_as_long_as_people_stay() -> None:
    assert Doors().pace(room(300), None, NOW) == Pace(DoorState.PACED, Cause.HEADROOM, 10)
    few = Doors().pace(room(15, seats=100), None, NOW)
    assert (few.count, few.seconds, few.a_minute) == (1, 120.0, 0.5)


def test_doors_pause_when_nearly_nothing_is_free_and_do_not_waver() -> None:
    doors = Doors()
    assert doors.pace(room(49), None, NOW).state is DoorState.PAUSED
    assert doors.pace(room(79), None, NOW).state is DoorState.PAUSED
    assert doors.pace(room(80), None, NOW).state is DoorState.PACED
    assert doors.pace(room(51), None, NOW).state is DoorState.PACED
    assert doors.pace(room(499), None, NOW).state is DoorState.PACED
    assert doors.pace(room(500), None, NOW).state is DoorState.OPEN
    assert doors.pace(room(401), None, NOW).state is DoorState.OPEN
    assert doors.pace(room(399), None, NOW).state is DoorState.PACED


def test_nobody_comes_in_while_nobody_knows_whether_there_is_room() -> None:
    assert Doors().pace(None, None, NOW) == Pace(DoorState.PAUSED, Cause.UNKNOWN, 0)


def test_operators_order_counts_until_its_end_and_then_the_fleet_again() -> None:
    doors, paced = Doors(), order(DoorState.PACED, 7)
    assert doors.pace(FULL, paced, NOW) == Pace(DoorState.PACED, Cause.OPERATOR, 7)
    assert doors.pace(None, order(DoorState.OPEN), NOW).state is DoorState.OPEN
    assert doors.pace(room(900), order(DoorState.PAUSED), NOW).count == 0
    assert doors.pace(FULL, paced, paced.until).cause is Cause.HEADROOM


@pytest.mark.parametrize(
    ("state", "a_minute", "why"),
    [
        (DoorState.PACED, 0, "must say how many, 1 to 6000: doors are paced"),
        (DoorState.OPEN, 5, "is for paced doors alone"),
    ],
)
def test_a_number_that_is_missing_or_too_much_is_refused_in_words(state: DoorState, a_minute: int, why: str) -> None:
    with pytest.raises(FieldInvalid) as refusal:
        order(state, a_minute)
    assert refusal.value.fields == (("newcomers_a_minute", why),)


@pytest.mark.parametrize(
    ("field_name", "values"),
    [
        ("reason", {"state": DoorState.OPEN, "reason": "  "}),
        ("until", {"state": DoorState.OPEN, "hours": 0.0}),
        ("until", {"state": DoorState.OPEN, "hours": 24.0 * 7 + 1}),
        ("newcomers_a_minute", {"state": DoorState.PACED}),
        ("newcomers_a_minute", {"state": DoorState.PAUSED, "a_minute": 5}),
    ],
)
def test_order_without_reason_end_or_number_is_refused(field_name: str, values: dict[str, object]) -> None:
    with pytest.raises(FieldInvalid) as refusal:
        order(**values)  # type: ignore[arg-type]
    assert refusal.value.fields[0][0] == field_name


@given(headroom=ANY, before=some.lists(ANY, max_size=5))
def test_pace_never_lets_in_more_than_there_are_seats(headroom: Headroom, before: list[Headroom]) -> None:
    doors = Doors()
    for each in before:
        doors.pace(each, None, NOW)
    pace = doors.pace(headroom, None, NOW)
    assert pace.count <= headroom.free
    if pace.state is DoorState.OPEN:
        assert pace.count <= max(1, headroom.free * OPEN_SHARE)
    else:
        # Whoever comes in at this pace and stays as long as people do finds a seat, for ever, free or left by others.
        coming = pace.count / pace.seconds - headroom.leaving_a_second
        assert coming * headroom.stay_seconds <= headroom.free + 1e-6


def test_doors_let_in_as_many_as_leave_beside_what_the_free_seats_hold() -> None:
    still = Doors().pace(Headroom(300, 1000, 1, 1800.0), None, NOW)
    leaving = Doors().pace(Headroom(300, 1000, 1, 1800.0, 2.0), None, NOW)
    assert (still.count, leaving.count) == (10, 130)
    assert Doors().pace(Headroom(300, 1000, 1, 1800.0, 50.0), None, NOW).count == 300


def test_person_is_told_place_wait_and_when_to_look() -> None:
    pace = Pace(DoorState.PACED, Cause.HEADROOM, 10)
    told = ticket(pace, Entered(10, 2), ahead=19, waiting=40)
    assert (told.place, told.waiting, told.wait_seconds, told.turn) == (20, 40, 120.0, False)
    assert told.look_seconds == 15.0
    assert ticket(pace, Entered(0, 0), ahead=1, waiting=3).turn
    assert not ticket(pace, Entered(0, 0), ahead=2, waiting=3).turn
    assert ticket(Pace(DoorState.PAUSED, Cause.HEADROOM, 0), Entered(0, 0), ahead=0, waiting=1).wait_seconds is None


def test_paced_minute_is_let_in_by_parts() -> None:
    pace = Pace(DoorState.PACED, Cause.HEADROOM, 60)
    assert free_now(pace, Entered(0, 0)) == 10
    assert free_now(pace, Entered(10, 10)) == 0
    assert free_now(pace, Entered(55, 0)) == 5
    assert free_now(Pace(DoorState.OPEN, Cause.HEADROOM, 60), Entered(10, 10)) == 50


def test_who_is_near_the_doors_looks_often_and_who_is_far_seldom() -> None:
    assert (look_again(1.0), look_again(80.0), look_again(36_000.0)) == (2.0, 10.0, 30.0)


def test_silent_pages_do_not_count_until_they_are_back() -> None:
    here, gone = NOW + timedelta(seconds=30), NOW - timedelta(seconds=1)
    line = Line(
        [Standing(3, "a", "code_a", gone), Standing(5, "b", "code_b", here), Standing(9, "c", "code_c", here)], NOW
    )
    assert line.present == 2
    assert [line.ahead_of(number) for number in (3, 5, 9)] == [0, 0, 1]
    assert line.find("code_a") is not None
    assert line.find("code_d") is None


def test_those_behind_wait_for_a_turn_that_is_not_taken_no_longer_than_half_a_minute() -> None:
    pace, turns = Pace(DoorState.PACED, Cause.HEADROOM, 6), Turns()
    next_one, later = (ticket(pace, Entered(0, 0), ahead, waiting=2) for ahead in (0, 1))
    assert turns.is_awaited("a", next_one, 0.0)
    assert turns.is_awaited("a", next_one, TURN_SECONDS - 1)
    assert not turns.is_awaited("a", next_one, TURN_SECONDS)
    assert not turns.is_awaited("a", later, TURN_SECONDS + 5), "it was let pass: nobody waits for it again"
    assert turns.is_awaited("b", later, TURN_SECONDS + 5)
    turns.forget_all_but({"b"})
    assert turns.is_awaited("a", next_one, 900.0)


@dataclass
class Hall:
    """What copies share: the entries, and the line; each copy has doors and a view of the fleet of its own."""

    entered: list[float] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    def count(self, now: float, seconds: float) -> int:
        return sum(1 for at in self.entered if at > now - seconds)

    def let_in(self, pace: Pace, now: float) -> list[int]:
        """All whose turn it is, as each redeems."""
        came: list[int] = []
        for person in list(self.waiting):
            entered = Entered(self.count(now, pace.seconds), self.count(now, pace.slice_seconds))
            if not ticket(pace, entered, self.waiting.index(person), len(self.waiting)).turn:
                break
            self.waiting.remove(person)
            self.entered.append(now)
            came.append(person)
        return came


@given(
    steps=some.lists(
        some.tuples(some.floats(0.1, 30.0), some.integers(0, 3), some.one_of(some.none(), ANY), some.integers(0, 20)),
        min_size=1,
        max_size=60,
    )
)
def test_no_schedule_of_loads_and_copies_lets_in_more_than_headroom_or_out_of_turn(
    steps: list[tuple[float, int, Headroom | None, int]],
) -> None:
    """Each step: time passes, one of four copies hears a load (or loses the bus), people join, that copy lets in."""
    hall, copies, now, joined, came = Hall(), [Doors() for _ in range(4)], 0.0, 0, []
    for seconds, copy, headroom, people in steps:
        now += seconds
        hall.waiting += range(joined, joined + people)
        joined += people
        pace = copies[copy].pace(headroom, None, NOW)
        before = hall.count(now, MINUTE)
        entered = hall.let_in(pace, now)
        came += entered
        if entered:
            assert headroom is not None
            assert hall.count(now, pace.seconds) <= pace.count <= headroom.free
            assert before + len(entered) <= max(pace.count, 1) or pace.seconds < MINUTE
    assert came == sorted(came)
    assert came == list(range(len(came)))
