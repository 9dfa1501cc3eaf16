"""How much room the fleet has for newcomers, by what its relays tell."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.invite.domain.doors import Doors, DoorState
from services.invite.domain.headroom import (
    DISPLACED_SECONDS,
    FRESH_SECONDS,
    LONGEST_STAY_SECONDS,
    MOST_RELAYS,
    SHORTEST_STAY_SECONDS,
    USUAL_STAY_SECONDS,
    Fleet,
    RelayReport,
)
from services.programme.work import PAUSING_STEP, UNKNOWN, WAITING_STEP, Limits, Work

RELAY = RelayReport(
    relay_id="relay000000001",
    boot_id="boot0000000001",
    grpc_address="127.0.0.1:1",
    limits=Limits(usual=10_000),
    work=Work(),
    listener=Work(50, 50),
    sessions=0,
    opened=0,
)


def used(packets: int) -> Work:
    return Work(packets, packets)


def other(relay: RelayReport, **fields: object) -> RelayReport:
    return replace(relay, relay_id="relay000000002", **fields)  # type: ignore[arg-type]


def free(fleet: Fleet, now: float) -> int:
    headroom = fleet.headroom(now)
    assert headroom is not None
    return headroom.free


def test_nothing_is_known_before_a_relay_was_heard_and_after_all_fell_silent() -> None:
    fleet = Fleet()
    assert fleet.headroom(0.0) is None
    fleet.hear(RELAY, 0.0)
    assert fleet.headroom(FRESH_SECONDS) is not None
    assert fleet.headroom(FRESH_SECONDS + 0.1) is None


def test_a_tenth_is_kept_for_the_stage_and_for_who_comes_back() -> None:
    fleet = Fleet()
    fleet.hear(RELAY, 0.0)
    fleet.hear(other(RELAY, work=used(4_000)), 0.0)
    headroom = fleet.headroom(1.0)
    assert headroom is not None
    assert (headroom.free, headroom.seats, headroom.relays) == (180 + 100, 360, 2)


def test_tightest_limit_of_a_relay_says_how_many_more_it_takes() -> None:
    fleet, limits = Fleet(), Limits(usual=10_000, sending=8_000, programme=5_000, together=9_000)
    fleet.hear(replace(RELAY, limits=limits, work=Work(1_000, 1_200, 4_000)), 0.0)
    headroom = fleet.headroom(0.0)
    assert headroom is not None
    assert (headroom.free, headroom.seats) == ((8_100 - 5_200) // 50, 7_200 // 50)


def test_share_of_the_directory_counts_here_too() -> None:
    fleet = Fleet(share=0.5)
    fleet.hear(RELAY, 0.0)
    assert free(fleet, 0.0) == 90


def test_relay_that_has_not_measured_itself_says_nothing() -> None:
    fleet = Fleet()
    fleet.hear(replace(RELAY, limits=UNKNOWN), 0.0)
    assert fleet.headroom(0.0) is None


def test_people_of_a_relay_that_empties_or_died_are_seated_first() -> None:
    fleet = Fleet()
    fleet.hear(RELAY, 0.0)
    fleet.hear(other(RELAY, sessions=100, work=used(5_000), draining=True), 0.0)
    assert free(fleet, 0.0) == 80
    fleet.hear(other(RELAY, sessions=60, work=used(3_000)), 0.0)
    assert free(fleet, 0.0) == 180 + 120
    silent_for = FRESH_SECONDS + 1
    fleet.hear(RELAY, silent_for)
    assert free(fleet, silent_for) == 120
    later = FRESH_SECONDS + DISPLACED_SECONDS + 1
    fleet.hear(RELAY, later)
    assert free(fleet, later) == 180


def test_relay_on_the_step_of_waiting_rooms_has_no_seat_for_newcomers() -> None:
    fleet = Fleet()
    fleet.hear(replace(RELAY, ladder_step=WAITING_STEP), 0.0)
    assert free(fleet, 0.0) == 0


def test_at_the_last_step_of_a_relay_doors_pause_unless_others_could_take_its_people_in() -> None:
    fleet = Fleet()
    fleet.hear(replace(RELAY, sessions=100, work=used(5_000), ladder_step=PAUSING_STEP), 0.0)
    fleet.hear(other(RELAY, sessions=90, work=used(4_500)), 0.0)
    headroom = fleet.headroom(0.0)
    assert headroom is not None
    assert headroom.free == 0
    assert Doors().pace(headroom, None, datetime(2026, 1, 1, tzinfo=UTC)).state is DoorState.PAUSED
    fleet.hear(other(RELAY), 0.0)
    assert free(fleet, 0.0) == 80


def test_stay_begins_as_usual_and_follows_what_is_seen() -> None:
    fleet, opened = Fleet(), 100
    fleet.hear(replace(RELAY, sessions=100, opened=opened), 0.0)
    assert fleet.headroom(0.0).stay_seconds == USUAL_STAY_SECONDS  # type: ignore[union-attr]
    # A hundred people, of whom one leaves every six seconds and another comes: they stay for ten minutes.
    for second in range(1, 3601):
        opened += second % 6 == 0
        fleet.hear(replace(RELAY, sessions=100, opened=opened), float(second))
    stay = fleet.headroom(3600.0).stay_seconds  # type: ignore[union-attr]
    assert 580 < stay < 800


def test_nobody_leaves_by_moving_and_estimates_keep_within_what_is_plausible() -> None:
    fleet = Fleet()
    for second in range(600):
        fleet.hear(replace(RELAY, sessions=1000 - second, opened=1000, draining=True), float(second))
    assert fleet.headroom(600.0).stay_seconds == USUAL_STAY_SECONDS  # type: ignore[union-attr]
    for second in range(600, 1200):
        fleet.hear(replace(RELAY, sessions=10, opened=second * 10), float(second))
    assert fleet.headroom(1200.0).stay_seconds == SHORTEST_STAY_SECONDS  # type: ignore[union-attr]
    for second in range(1200, 15_000):
        fleet.hear(replace(RELAY, sessions=150, opened=12_000), float(second))
    assert fleet.headroom(15_000.0).stay_seconds == LONGEST_STAY_SECONDS  # type: ignore[union-attr]


def test_who_leaves_is_counted_of_late_and_forgotten_when_nobody_does() -> None:
    fleet = Fleet()
    # A talk ends: two a second go, nobody comes.
    for second in range(301):
        fleet.hear(replace(RELAY, sessions=1000 - 2 * second, opened=1000), float(second))
    assert fleet.headroom(300.0).leaving_a_second == pytest.approx(2.0, rel=0.1)  # type: ignore[union-attr]
    for second in range(301, 901):
        fleet.hear(replace(RELAY, sessions=400, opened=1000), float(second))
    assert fleet.headroom(900.0).leaving_a_second < 0.01  # type: ignore[union-attr]


def test_a_start_is_recognised_by_its_name_its_boot_and_its_address_until_it_was_silent_for_long() -> None:
    fleet = Fleet()
    assert not fleet.recognises(RELAY)
    fleet.hear(RELAY, 0.0)
    assert fleet.recognises(replace(RELAY, sessions=7, work=used(500)))
    assert not fleet.recognises(replace(RELAY, boot_id="boot0000000002"))
    assert not fleet.recognises(replace(RELAY, grpc_address="127.0.0.1:2"))
    fleet.headroom(FRESH_SECONDS + DISPLACED_SECONDS + 1)
    assert not fleet.knows(RELAY.relay_id)


def test_relays_are_bounded_and_those_that_are_there_never_give_way() -> None:
    fleet = Fleet()
    for number in range(MOST_RELAYS + 10):
        fleet.hear(replace(RELAY, relay_id=f"relay{number:08}"), 0.0)
    headroom = fleet.headroom(0.0)
    assert headroom is not None
    assert headroom.relays == MOST_RELAYS
    assert fleet.knows("relay00000000")
