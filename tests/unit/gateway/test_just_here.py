"""Who watched a room until just now is remembered, for a while and so many."""

from services.gateway.watch import just_here
from services.gateway.watch.just_here import KEPT_SECONDS, JustHere


def test_whoever_left_a_room_is_known_in_it_for_two_minutes_and_nowhere_else() -> None:
    now = [0.0]
    here = JustHere(lambda: now[0])
    here.note("a room", "nadia")
    assert here.was("a room", "nadia")
    assert not here.was("another", "nadia")
    assert not here.was("a room", "omar")
    now[0] = KEPT_SECONDS
    assert not here.was("a room", "nadia")
    here.note("a room", "omar")
    assert len(here) == 1, "who did not come back is forgotten"


def test_a_hundred_thousand_who_go_are_no_more_than_so_many_in_memory() -> None:
    here = JustHere(lambda: 0.0)
    for number in range(100_000):
        here.note("a room", f"person{number}")
    assert len(here) == just_here._MOST_KEPT
    assert here.was("a room", "person99999")
