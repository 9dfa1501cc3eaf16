"""Which relay serves whom."""

from services.room_directory.domain.placement import (
    CONFIRMED_SECONDS,
    RESERVED_SECONDS,
    Newcomer,
    Placement,
    RelayLoadState,
    choose_audience_relay,
    choose_home_relay,
)

NOW = 100.0


def relay(relay_id: str, packets: int = 0, **fields: object) -> RelayLoadState:
    state = RelayLoadState(relay_id, "boot", "address", packets_per_second=packets, budget=1000, seen_at=NOW)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def choose(*relays: RelayLoadState, in_room: tuple[str, ...] = (), returning: bool = False) -> str | None:
    who = Newcomer(seat=("room", "omar"), in_room=frozenset(in_room), returning=returning)
    chosen = choose_audience_relay(relays, who, 1.0, NOW)
    return chosen.relay_id if chosen else None


def test_the_least_loaded_relay_is_chosen() -> None:
    assert choose(relay("a", 500), relay("b", 100), relay("c", 300)) == "b"


def test_a_relay_already_in_the_room_is_preferred_while_it_has_room() -> None:
    assert choose(relay("a", 500), relay("b", 100), in_room=("a",)) == "a"
    assert choose(relay("a", 880), relay("b", 100), in_room=("a",)) == "b"


def test_stale_and_draining_relays_are_never_chosen() -> None:
    assert choose(relay("a", seen_at=NOW - 2.5), relay("b", draining=True)) is None
    assert choose_home_relay([relay("a", seen_at=NOW - 2.5), relay("b", draining=True)], 1.0, NOW) is None


def test_a_tenth_is_kept_for_the_stage_and_for_people_coming_back() -> None:
    nearly_full = relay("a", 860)
    assert choose(nearly_full) is None
    assert choose(nearly_full, returning=True) == "a"
    assert choose_home_relay([relay("a", 740)], 1.0, NOW) is not None


def test_silent_sessions_count_as_if_somebody_spoke() -> None:
    assert choose(relay("a", 0, sessions=18)) is None
    assert choose(relay("a", 0, sessions=16)) == "a"


def test_a_promise_counts_until_its_time_is_over() -> None:
    state = relay("a")
    state.reserve("room", "omar", 50, NOW)
    state.reserve("room", "nadia", 50, NOW + 1)
    assert state.committed(NOW + 1) == 100
    assert state.committed(NOW + RESERVED_SECONDS) == 50
    assert state.committed(NOW + RESERVED_SECONDS + 1) == 0


def test_a_second_promise_to_a_seat_replaces_the_first() -> None:
    state = relay("a")
    state.reserve("room", "omar", 50, NOW)
    state.reserve("room", "omar", 200, NOW + 5)
    assert state.committed(NOW + 5) == 200
    assert state.committed(NOW + 5, ("room", "omar")) == 0
    assert state.committed(NOW + RESERVED_SECONDS + 1) == 200
    assert state.committed(NOW + RESERVED_SECONDS + 5) == 0


def test_a_confirmed_promise_counts_until_the_report_shows_its_session() -> None:
    state = relay("a")
    for number in range(100):
        state.reserve("room", f"guest{number}", 1, NOW)
    for number in range(100):
        state.confirm("room", f"guest{number}", NOW + number * 0.01)
    assert state.committed(NOW + CONFIRMED_SECONDS + 0.495) == 50
    assert state.committed(NOW + CONFIRMED_SECONDS + 1) == 0


def test_a_promise_is_not_counted_beside_the_session_it_became() -> None:
    state = relay("a")
    seat = ("room", "omar")
    state.reserve("room", "omar", 50, NOW, "permit")
    state.opened(seat, "permit", 7)
    assert state.committed(NOW) == 50, "no report counts the session yet"
    state.reserved.counted(6)
    assert state.committed(NOW) == 50
    state.reserved.counted(7)
    assert state.committed(NOW) == 0


def test_a_session_that_a_report_counted_before_its_news_came_is_not_counted_twice() -> None:
    state = relay("a", newest_session=9)
    state.reserve("room", "omar", 50, NOW, "permit")
    state.opened(("room", "omar"), "permit", 7)
    assert state.committed(NOW) == 0


def test_a_try_that_came_to_nothing_gives_its_promise_back_and_not_that_of_a_newer_one() -> None:
    state = relay("a")
    state.reserve("room", "omar", 50, NOW, "second")
    state.reserved.give_back(("room", "omar"), "first")
    assert state.committed(NOW) == 50
    state.reserved.give_back(("room", "omar"), "second")
    assert state.committed(NOW) == 0


def test_listeners_are_counted_with_what_their_relay_says_they_cost() -> None:
    assert choose(relay("a", 880, packets_per_listener=17)) == "a"
    assert choose(relay("a", 880)) is None


def test_a_relay_that_has_not_measured_itself_yet_takes_sessions() -> None:
    assert choose(relay("a", 5000, budget=0)) == "a"


def fill(*relays: RelayLoadState, in_room: tuple[str, ...] = ()) -> str | None:
    who = Newcomer(seat=("room", "omar"), in_room=frozenset(in_room))
    chosen = choose_audience_relay(relays, who, 1.0, NOW, Placement.FILL)
    return chosen.relay_id if chosen else None


def test_in_a_row_of_relays_the_lowest_number_is_filled_first() -> None:
    row = [relay("mediarelay10"), relay("mediarelay2", 300), relay("mediarelay1", 700)]
    assert fill(*row) == "mediarelay1"
    assert fill(*row, in_room=("mediarelay10",)) == "mediarelay1"
    home = choose_home_relay(row, 1.0, NOW, Placement.FILL)
    assert home is not None
    assert home.relay_id == "mediarelay1"


def test_the_next_relay_of_a_row_is_begun_before_the_last_one_is_quite_full() -> None:
    assert fill(relay("mediarelay0", 810), relay("mediarelay1")) == "mediarelay1"


def test_a_row_that_is_filled_shares_out_what_is_left() -> None:
    assert fill(relay("mediarelay0", 845), relay("mediarelay1", 805)) == "mediarelay1"


def test_a_draining_relay_of_a_row_is_passed_over() -> None:
    assert fill(relay("mediarelay0", draining=True), relay("mediarelay1")) == "mediarelay1"
