"""Which relay serves whom."""

import math
from collections import Counter
from dataclasses import replace
from random import Random

from services.programme.work import NOTHING, Costs, Limits, Tariff, Work
from services.room_directory.domain.choosing import (
    APART,
    Newcomer,
    Placement,
    choose_audience_relay,
    choose_home_relay,
    is_tight,
    turns_newcomers_away,
)
from services.room_directory.domain.ladder import Footing
from services.room_directory.domain.placement import CONFIRMED_SECONDS, RESERVED_SECONDS, RelayLoadState, Wanted
from services.room_directory.domain.shares import FRESH_SECONDS, ROOM_SHARE, Shares

NOW = 100.0


def relay(relay_id: str, packets: int = 0, **fields: object) -> RelayLoadState:
    """One that counts packets alone, and promises a thousand a second."""
    work, limits = Work(packets, packets), Limits(1000, 1000)
    state = RelayLoadState(relay_id, "boot", "address", work=work, limits=limits, seen_at=NOW)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def seat(packets: int) -> Wanted:
    return Wanted(Work(packets, packets), ("room", "floor"), NOTHING)


def newcomer(*in_room: str, returning: bool = False, home: str = "", region: str = "") -> Newcomer:
    return Newcomer(
        seat=("room", "omar"),
        channel="floor",
        home_relay_id=home,
        in_room=frozenset(in_room),
        region=region,
        returning=returning,
    )


def choose(
    *relays: RelayLoadState,
    in_room: tuple[str, ...] = (),
    returning: bool = False,
    home: str = "",
    region: str = "",
    seed: int = 1,
) -> str | None:
    who, chance = newcomer(*in_room, returning=returning, home=home, region=region), Random(seed).randrange
    chosen = choose_audience_relay(relays, who, 1.0, NOW, chance=chance)
    return chosen.relay_id if chosen else None


def test_the_better_of_two_by_chance_is_chosen_so_never_the_fullest_of_all() -> None:
    chosen = {choose(relay("a", 500), relay("b", 100), relay("c", 300), seed=seed) for seed in range(50)}
    assert chosen == {"b", "c"}
    assert {choose(relay("a", 500), relay("b", 100), seed=seed) for seed in range(50)} == {"b"}


def test_copies_that_know_the_same_reports_do_not_all_send_people_to_the_same_relay() -> None:
    fleet = [relay(f"r{number}", 10 * number) for number in range(20)]
    chosen = Counter(choose(*fleet, seed=seed) for seed in range(200))
    assert max(chosen.values()) < 40, "the emptiest of all would have got all two hundred"


def test_one_relay_with_room_is_found_among_many_that_are_full() -> None:
    fleet = [*(relay(f"full{number}", 1000) for number in range(50)), relay("last", 880)]
    assert choose(*fleet) is None
    fleet[-1].work = Work(800, 800)
    assert {choose(*fleet, seed=seed) for seed in range(20)} == {"last"}


def test_a_relay_already_in_the_room_is_preferred_until_others_are_clearly_emptier() -> None:
    assert choose(relay("a", 100 + int(900 * APART)), relay("b", 100), in_room=("a",)) == "a"
    assert choose(relay("a", 500), relay("b", 100), in_room=("a",)) == "b"
    assert choose(relay("a", 880), relay("b", 100), in_room=("a",)) == "b"


def test_stale_and_draining_relays_are_never_chosen() -> None:
    assert choose(relay("a", seen_at=NOW - 2.5), relay("b", draining=True)) is None
    assert choose_home_relay([relay("a", seen_at=NOW - 2.5), relay("b", draining=True)], 1.0, NOW) is None


def test_a_tenth_is_kept_for_the_stage_and_for_people_coming_back() -> None:
    nearly_full = relay("a", 860)
    assert choose(nearly_full) is None
    assert choose(nearly_full, returning=True) == "a"
    assert choose_home_relay([relay("a", 740)], 1.0, NOW) is not None


def test_a_promise_counts_until_its_time_is_over() -> None:
    state = relay("a")
    state.reserve(("room", "omar"), seat(50), NOW)
    state.reserve(("room", "nadia"), seat(50), NOW + 1)
    assert state.committed(NOW + 1).usual == 100
    assert state.committed(NOW + RESERVED_SECONDS).usual == 50
    assert state.committed(NOW + RESERVED_SECONDS + 1).usual == 0


def test_a_second_promise_to_a_seat_replaces_the_first() -> None:
    state = relay("a")
    state.reserve(("room", "omar"), seat(50), NOW)
    state.reserve(("room", "omar"), seat(200), NOW + 5)
    assert state.committed(NOW + 5).usual == 200
    assert state.committed(NOW + 5, ("room", "omar")).usual == 0
    assert state.committed(NOW + RESERVED_SECONDS + 1).usual == 200
    assert state.committed(NOW + RESERVED_SECONDS + 5).usual == 0


def test_a_confirmed_promise_counts_until_the_report_shows_its_session() -> None:
    state = relay("a")
    for number in range(100):
        state.reserve(("room", f"guest{number}"), seat(1), NOW)
    for number in range(100):
        state.confirm("room", f"guest{number}", NOW + number * 0.01)
    assert state.committed(NOW + CONFIRMED_SECONDS + 0.495).usual == 50
    assert state.committed(NOW + CONFIRMED_SECONDS + 1).usual == 0


def test_a_promise_is_not_counted_beside_the_session_it_became() -> None:
    state = relay("a")
    state.reserve(("room", "omar"), seat(50), NOW, "permit")
    state.opened(("room", "omar"), "permit", 7)
    assert state.committed(NOW).usual == 50, "no report counts the session yet"
    state.reserved.counted(6)
    assert state.committed(NOW).usual == 50
    state.reserved.counted(7)
    assert state.committed(NOW).usual == 0


def test_a_session_that_a_report_counted_before_its_news_came_is_not_counted_twice() -> None:
    state = relay("a", newest_session=9)
    state.reserve(("room", "omar"), seat(50), NOW, "permit")
    state.opened(("room", "omar"), "permit", 7)
    assert state.committed(NOW).usual == 0


def test_a_try_that_came_to_nothing_gives_its_promise_back_and_not_that_of_a_newer_one() -> None:
    state = relay("a")
    state.reserve(("room", "omar"), seat(50), NOW, "second")
    state.reserved.give_back(("room", "omar"), "first")
    assert state.committed(NOW).usual == 50
    state.reserved.give_back(("room", "omar"), "second")
    assert state.committed(NOW).usual == 0


def test_listeners_are_counted_with_what_their_relay_says_they_cost() -> None:
    assert choose(relay("a", 880, tariff=Tariff(packet_ms=60), carried=frozenset({("room", "floor")}))) == "a"
    assert choose(relay("a", 880)) is None


def test_a_relay_that_has_not_measured_itself_yet_takes_sessions() -> None:
    assert choose(relay("a", 5000, limits=Limits())) == "a"


def fill(*relays: RelayLoadState, in_room: tuple[str, ...] = ()) -> str | None:
    chosen = choose_audience_relay(
        relays, newcomer(*in_room), 1.0, NOW, chance=Random(1).randrange, placement=Placement.FILL
    )
    return chosen.relay_id if chosen else None


def test_in_a_row_of_relays_the_lowest_number_is_filled_first() -> None:
    row = [relay("mediarelay10"), relay("mediarelay2", 300), relay("mediarelay1", 700)]
    assert fill(*row) == "mediarelay1"
    assert fill(*row, in_room=("mediarelay10",)) == "mediarelay1"
    home = choose_home_relay(row, 1.0, NOW, placement=Placement.FILL)
    assert home is not None
    assert home.relay_id == "mediarelay1"


def test_the_next_relay_of_a_row_is_begun_before_the_last_one_is_quite_full() -> None:
    assert fill(relay("mediarelay0", 810), relay("mediarelay1")) == "mediarelay1"


def test_a_row_that_is_filled_shares_out_what_is_left() -> None:
    assert fill(relay("mediarelay0", 845), relay("mediarelay1", 805)) == "mediarelay1"


def test_a_draining_relay_of_a_row_is_passed_over() -> None:
    assert fill(relay("mediarelay0", draining=True), relay("mediarelay1")) == "mediarelay1"


COSTS = Costs(packet=1.0, microphone=1.0, decode=1.0, encode_least=8.0, encode_best=50.0, passed=2.0, join=1000.0)
"""A channel that mixes two voices takes 10 µs for 20 ms: as much as 500 packets a second."""
MIXER = Tariff(COSTS).channel(home=True).usual
"""As talks usually go: some of the time it hands a lone speaker on."""


def working(relay_id: str, usual: int = 0, carried: frozenset[tuple[str, str]] = frozenset()) -> RelayLoadState:
    """One that says what things cost there."""
    limits = Limits(usual=2000, sending=2000, programme=1600, together=3000)
    return relay(relay_id, usual, limits=limits, tariff=Tariff(COSTS), carried=carried)


def test_the_first_listener_of_a_room_costs_its_home_a_mixer_and_the_next_one_does_not() -> None:
    nearly_full = working("a", 1600)
    assert choose(nearly_full, home="a") is None
    assert choose(working("a", 1600, carried=frozenset({("room", "floor")})), home="a") == "a"
    nearly_full = working("a", 1200)
    nearly_full.reserve(("room", "nadia"), newcomer(home="a").wants(nearly_full), NOW)
    assert choose(nearly_full, home="a") == "a", "the mixer is promised already"
    assert nearly_full.committed(NOW).usual == 1200 + MIXER + 50


def test_the_first_listener_of_a_language_costs_its_home_a_mixer_that_always_mixes() -> None:
    language = Tariff(COSTS).channel(home=True, language=True).usual
    assert language == 500
    room, floor = frozenset({("room", "floor")}), working("a", carried=frozenset({("room", "floor")}))
    wants = replace(newcomer(home="a"), channel="ar").wants(floor)
    assert floor.has_room(wants, language / 1600, NOW)
    assert not floor.has_room(wants, (language - 1) / 1600, NOW)
    assert working("b", carried=room).listener(("room", "ar"), "a").channel_work.usual == 100, "handed on"


def test_a_stage_that_moves_takes_its_languages_along() -> None:
    relays = [working("a"), working("b", 300)]
    for languages, home in ((0, "a"), (2, "a"), (3, None)):
        found = choose_home_relay(relays, 1.0, NOW, languages=languages)
        assert (found.relay_id if found else None) == home, languages
    wanted = relays[0].moved_stage(("room", "floor"), 2)
    assert wanted.seat == relays[0].speaker(("room", "floor"), 0).seat + Work(1000, 0, 1000)


def test_a_relay_that_only_hands_a_programme_on_needs_less_for_a_room() -> None:
    assert choose(working("a", 1600), home="b") == "a"
    assert choose(working("a", 1700), home="b") is None


def test_a_channel_that_nobody_waits_for_any_more_is_promised_to_nobody() -> None:
    state = working("a")
    for name in ("omar", "nadia"):
        state.reserve(("room", name), newcomer(home="a").wants(state), NOW, name)
    state.reserved.give_back(("room", "omar"), "omar")
    assert state.committed(NOW).programme == 500
    state.reserved.give_back(("room", "nadia"), "nadia")
    assert state.committed(NOW) == NOTHING


def test_a_channel_that_the_report_counts_is_not_counted_twice() -> None:
    state = working("a")
    state.reserve(("room", "omar"), newcomer(home="a").wants(state), NOW)
    assert state.committed(NOW).programme == 500
    state.carried = frozenset({("room", "floor")})
    assert state.committed(NOW).programme == 0
    assert state.committed(NOW).usual == 50


def test_rooms_beyond_what_programme_threads_can_mix_are_not_begun_though_packets_are_left() -> None:
    relays = [working("a")]
    homes = 0
    while (home := choose_home_relay(relays, 1.0, NOW)) is not None:
        room = f"room{homes}"
        home.reserve((room, "lina"), home.speaker((room, "floor"), 0), NOW)
        homes += 1
    assert homes == 3
    assert relays[0].fullness(NOW) > 0.9
    assert relays[0].committed(NOW).sending < 200


def test_the_second_person_on_a_stage_costs_what_both_then_hear() -> None:
    state = working("a")
    alone, second = state.speaker(("room", "floor"), 0).seat, state.speaker(("room", "floor"), 1).seat
    assert (alone.usual, alone.sending) == (50, 50)
    assert (second.usual, second.sending) == (100, 150)


def test_the_nearest_relay_with_room_is_chosen_and_a_far_one_when_those_near_are_full() -> None:
    near, next_door, far = (
        relay("a", 500, region="eu-west-1"), relay("b", 100, region="eu-west-2"), relay("c", region="us-east-1")
    )  # fmt: skip
    assert choose(near, next_door, far, region="eu-west-1") == "a"
    near.work = Work(990, 990)
    assert choose(near, next_door, far, region="eu-west-1", in_room=("c",)) == "b"
    next_door.draining = True
    assert choose(near, next_door, far, region="eu-west-1") == "c"


def test_regions_count_by_their_parts_and_not_by_letters() -> None:
    assert choose(relay("a", 500, region="eu-west"), relay("b", region="eu-western"), region="eu-west") == "a"


def test_without_a_word_of_the_region_of_a_person_all_relays_are_near() -> None:
    assert choose(relay("a", 500, region="eu"), relay("b", region="us")) == "b"


def test_a_stage_that_moves_stays_near_where_it_was() -> None:
    relays = [relay("a", 500, region="eu"), relay("b", region="us")]
    home = choose_home_relay(relays, 1.0, NOW, region="eu")
    assert home is not None
    assert home.relay_id == "a"


MINE, OTHER = frozenset({("room", "floor")}), frozenset({("other", "floor")})


def test_one_room_may_have_all_of_a_fleet_until_another_lives_there() -> None:
    fleet, shares = [relay("a", carried=MINE), relay("b", carried=MINE)], Shares(1.0)
    assert shares.most(fleet, "room", NOW) == math.inf
    fleet[1].carried = MINE | OTHER
    assert shares.most(fleet, "room", NOW + FRESH_SECONDS) == 2 * int(1000 * ROOM_SHARE / 50)
    assert shares.most(fleet, "third", NOW + FRESH_SECONDS) == 2 * int(1000 * ROOM_SHARE / 50)


def test_a_fleet_of_which_not_all_have_measured_themselves_keeps_nobody_out() -> None:
    fleet = [relay("a", carried=OTHER), relay("b", limits=Limits())]
    assert Shares(1.0).most(fleet, "room", NOW) == math.inf
    assert Shares(1.0).most(fleet[:1], "room", NOW) == 12


def test_relays_that_take_nobody_are_no_part_of_the_fleet() -> None:
    fleet = [relay("a", carried=OTHER), relay("b", draining=True), relay("c", seen_at=NOW - 2.5)]
    assert Shares(1.0).most(fleet, "room", NOW) == 12


def test_newcomers_are_turned_away_only_while_every_relay_that_takes_people_stands_at_waiting() -> None:
    busy, away = relay("a", footing=Footing(7)), relay("b", seen_at=NOW - 10)
    assert turns_newcomers_away((busy, relay("c", footing=Footing(8)), away), NOW)
    assert not turns_newcomers_away((busy, relay("d", footing=Footing(5))), NOW)
    assert not turns_newcomers_away((away,), NOW), "no relay is heard: that is another trouble"


def test_a_fleet_is_tight_when_no_relay_that_takes_people_has_much_room() -> None:
    full, draining, stale = relay("a", 800), relay("b", 0, draining=True), relay("c", 0, seen_at=NOW - 10)
    assert is_tight((full, draining, stale), 1.0, NOW)
    assert not is_tight((full, relay("d", 600)), 1.0, NOW)
