"""A line that may come a thousand times a second is written once, with how many there were."""

from services.common.throttle import Throttle


def test_the_first_line_passes_and_the_next_only_after_the_pause_with_the_number_left_out() -> None:
    now = 100.0
    throttle = Throttle(10.0, clock=lambda: now)
    assert throttle.passes() == 0
    assert [throttle.passes() for _ in range(5)] == [None] * 5
    now += 9.9
    assert throttle.passes() is None
    now += 0.2
    assert throttle.passes() == 6
    now += 10.0
    assert throttle.passes() == 0
