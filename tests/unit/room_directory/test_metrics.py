"""What operators are shown of clocks."""

from datetime import timedelta

from services.common.sight.metrics import Metrics
from services.room_directory.metrics import ClockSkew
from tests.support.fake_clock import FakeClock


def shown(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("majlis_room_directory_clock_skew_seconds")


def test_the_relay_whose_clock_is_furthest_off_is_shown_until_it_is_right_again() -> None:
    clock, metrics = FakeClock(), Metrics("room_directory")
    skew = ClockSkew(clock, metrics)
    for _ in range(11):
        for off in (0.01, -4.0, 0.3):
            skew.note(clock.now() - timedelta(seconds=off))
        clock.advance(1.0)
    assert shown(metrics) == -4.0
    for _ in range(22):
        skew.note(clock.now() - timedelta(seconds=0.01))
        clock.advance(1.0)
    assert shown(metrics) == 0.01
