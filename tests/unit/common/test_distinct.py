"""People are counted, not their tries."""

from services.common.sight.distinct import Distinct


def test_somebody_counts_once_within_a_while_and_again_after_it() -> None:
    now = 0.0
    people = Distinct(3600.0, clock=lambda: now)
    assert [people.first(who) for who in ("lina", "lina", "omar", "lina")] == [True, False, True, False]
    now = 3599.0
    assert not people.first("lina")
    now = 3600.0
    assert people.first("lina")


def test_a_crowd_of_strangers_takes_no_more_memory_than_it_may() -> None:
    people = Distinct(3600.0, most=10, clock=lambda: 0.0)
    assert all(people.first(number) for number in range(1000))
    assert sum(not people.first(number) for number in reversed(range(1000))) <= 11
