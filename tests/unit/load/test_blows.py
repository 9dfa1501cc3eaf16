"""Blows to a running system: a seed repeats them, and each is held to what must be seen then."""

import math

from tests.load.blows import HOME, SERVICES, SPARE, WAYS, Blow, Seen, blows, broken, table


def seen(blow: Blow, gap: float, *, hearing: int = 4, back: float = 0.1, forgotten: str = "", stall: float = 0) -> Seen:
    return Seen(blow, [gap] * 4, 0, hearing, back, forgotten, stall)


def test_a_seed_repeats_its_blows_and_another_one_has_others() -> None:
    assert blows(1) == blows(1)
    assert blows(1) != blows(2)


def test_every_part_is_struck_in_every_way_and_the_home_relay_is_killed_early() -> None:
    for seed in range(20):
        struck = blows(seed)
        ways = [(blow.way, blow.part) for blow in struck]
        assert sorted(ways) == sorted((way, part) for way in WAYS for part in (*SERVICES, HOME, SPARE))
        assert ("kill", HOME) in ways[:3]
        assert all((blow.way == "freeze") == (blow.frozen > 0) for blow in struck)


def test_sound_may_not_stop_when_a_part_that_carries_none_dies() -> None:
    assert broken(seen(Blow("kill", "auth"), 0.1)) == []
    assert broken(seen(Blow("kill", "auth"), 0.5)) == ["gap p99 0.50 s > 0.2 s"]


def test_a_gap_that_this_tool_made_by_standing_still_is_nobodys() -> None:
    assert broken(seen(Blow("kill", "auth"), 0.5, stall=0.4)) == []


def test_a_frozen_relay_is_forgiven_the_time_for_which_it_was_frozen() -> None:
    assert broken(seen(Blow("freeze", HOME, 3.0), 6.5)) == []
    assert broken(seen(Blow("kill", HOME), 6.5)) == ["gap p95 6.50 s > 4.0 s", "gap p99 6.50 s > 6.0 s"]


def test_who_stays_deaf_and_what_is_forgotten_break_a_bar() -> None:
    assert broken(seen(Blow("kill", HOME), 3.0, hearing=3)) == ["1 do not hear"]
    assert broken(seen(Blow("kill", "room_directory"), 0.1, forgotten="title A, it is B")) == ["lost: title A, it is B"]


def test_commands_come_back_in_time_and_the_bus_has_longer() -> None:
    assert broken(seen(Blow("kill", "nats"), 0.1, back=8.0)) == []
    assert broken(seen(Blow("kill", "gateway"), 0.1, back=8.0)) == ["commands back after 8.0 s > 5 s"]
    assert broken(seen(Blow("kill", "gateway"), 0.1, back=math.inf)) == ["commands back after inf s > 5 s"]


def test_the_table_says_of_each_blow_what_was_seen_and_which_bar_it_broke() -> None:
    lines = table([seen(Blow("kill", "auth"), 0.1), seen(Blow("kill", "gateway"), 0.9)]).splitlines()
    assert "held" in lines[1]
    assert "4/4" in lines[1]
    assert "gap p99 0.90 s > 0.2 s" in lines[2]
