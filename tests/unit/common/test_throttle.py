"""A line that may come a thousand times a second is written once, with how many there were."""

import io
import logging

import structlog

from services.common.sight import log
from services.common.throttle import Throttle, Throttles


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


def test_each_kind_of_line_has_its_own_pause_in_bounded_memory() -> None:
    throttles = Throttles(10.0, clock=lambda: 1.0, most=2)
    assert [throttles.passes(kind) for kind in ("a", "b", "a", "b")] == [0, 0, None, None]
    assert throttles.passes("c") == 0
    assert throttles.passes("a") == 0


def test_what_a_library_warns_of_for_each_stranger_is_one_line() -> None:
    root = logging.getLogger()
    before, level, config = list(root.handlers), root.level, structlog.get_config()
    written = io.StringIO()
    try:
        log.configure("oven", "text", "info", written)
        library = logging.getLogger("some.library")
        for number in range(50):
            library.warning("invalid request %d", number)
    finally:
        root.handlers[:], root.level = before, level
        structlog.configure(**config)
    assert written.getvalue().count("invalid request") == 1
