"""How a relay that stops lets its people go."""

from services.media_relay.domain.leaving import HEARD_SECONDS, Leaving, OtherRelays

NOW = 100.0


def test_everybody_may_stay_while_people_are_only_asked_to_move() -> None:
    leaving = Leaving(began=NOW, seconds=60.0)
    assert leaving.may_stay(5000, NOW + 29.9) == 5000
    assert leaving.move_within_milliseconds(NOW) == 30_000
    assert leaving.move_within_milliseconds(NOW + 40.0) == 0


def test_who_did_not_move_is_let_go_evenly_and_nobody_is_left_at_the_end() -> None:
    leaving, left, steps = Leaving(began=NOW, seconds=20.0), 100, []
    for step in range(50, 101):
        stay = leaving.may_stay(left, NOW + step * 0.2)
        steps.append(left - stay)
        left = stay
    assert left == 0
    assert max(steps) <= 3


def test_who_moves_by_itself_meanwhile_spares_others_from_being_let_go() -> None:
    leaving = Leaving(began=NOW, seconds=20.0)
    assert leaving.may_stay(100, NOW + 10.0) == 100
    assert leaving.may_stay(30, NOW + 15.0) == 30


def test_a_relay_without_time_lets_everybody_go_at_once() -> None:
    assert Leaving(began=NOW, seconds=0.0).may_stay(5000, NOW) == 0


def test_only_another_relay_that_stays_could_take_people() -> None:
    others = OtherRelays()
    assert not others.could_take(NOW)
    others.note("relay00001", draining=False, now=NOW)
    assert others.could_take(NOW + HEARD_SECONDS)
    assert not others.could_take(NOW + HEARD_SECONDS + 1)
    others.note("relay00001", draining=False, now=NOW)
    others.note("relay00001", draining=True, now=NOW)
    assert not others.could_take(NOW)
