"""Speaking over HTTPS as it is measured: which sound belongs to which beep, and what nobody heard."""

import pytest

from tests.load.speak_rows import LoudEar, rows


def ear_of(*beeps: float) -> LoudEar:
    """Half a second of loud frames from each of these moments."""
    ear = LoudEar()
    ear.loud = [at + 0.02 * number for at in beeps for number in range(25)]
    return ear


def test_delay_is_from_the_beginning_of_a_beep_to_its_first_loud_frame() -> None:
    assert ear_of(10.2, 12.3, 14.1).delays([10.0, 12.0, 14.0]) == pytest.approx([0.2, 0.3, 0.1])


def test_beep_that_nobody_heard_is_left_out_and_takes_no_other_for_its_own() -> None:
    assert ear_of(10.2, 14.1).delays([10.0, 12.0, 14.0]) == pytest.approx([0.2, 0.1])


def test_row_without_enough_beeps_is_no_measurement() -> None:
    ear, _ = rows(20, [0.2] * 17, [0.1])
    assert (ear.value, ear.met) == (None, False)


def test_mute_that_held_late_once_breaks_its_bar() -> None:
    _, muted = rows(20, [0.2] * 20, [0.1, 0.7])
    assert (muted.value, muted.met) == (700, False)
