"""How far relays' clocks are from ours, by their loads."""

from datetime import datetime, timedelta

from structlog.testing import capture_logs

from services.room_directory.app.relay_clocks import RelayClocks
from services.room_directory.domain.placement import RelayLoadState, why_none
from tests.support.fake_clock import FakeClock


def clocks_of(clock: FakeClock) -> RelayClocks:
    return RelayClocks(clock, lambda _: None)


def heard(clocks: RelayClocks, sent_at: datetime | None, now: float = 0.0) -> RelayLoadState:
    return clocks.read(RelayLoadState("relay00000", "boot", "127.0.0.1:1", seen_at=now), sent_at)


def test_what_a_load_took_on_its_way_is_not_taken_for_a_clock_that_lags() -> None:
    clock = FakeClock()
    clocks = clocks_of(clock)
    heard(clocks, clock.now() - timedelta(seconds=20.01))
    assert heard(clocks, clock.now() - timedelta(seconds=24.0)).clock_difference == 20.01


def test_a_clock_that_was_set_right_counts_after_ten_loads() -> None:
    clock = FakeClock()
    clocks = clocks_of(clock)
    heard(clocks, clock.now() + timedelta(seconds=25))
    for _ in range(10):
        load = heard(clocks, clock.now())
    assert load.clock_difference == 0.0


def test_a_relay_that_does_not_say_is_taken_to_have_our_time_or_what_was_known() -> None:
    clock = FakeClock()
    clocks = clocks_of(clock)
    assert heard(clocks, None).clock_difference == 0.0
    heard(clocks, clock.now() - timedelta(seconds=5))
    assert heard(clocks, None).clock_difference == 5.0


def test_a_relay_whose_clock_is_too_far_off_takes_nobody_and_that_is_one_line() -> None:
    clock = FakeClock()
    clocks = clocks_of(clock)
    with capture_logs() as lines:
        for off in (25, 31, 31, 600):
            load = heard(clocks, clock.now() + timedelta(seconds=off))
            assert load.accepts(0.0) == (off < 30)
    assert [line["ours_less_its_seconds"] for line in lines] == [-31]
    assert "clocks" in why_none([load], 0.0)
