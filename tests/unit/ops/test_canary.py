"""The canary's ear: delay, loss and gaps of a known melody, and nothing taken for it that is not."""

import math
from array import array

import pytest
from prometheus_client import generate_latest

from ops.canary.command import Told
from ops.canary.measure import RATE, TONES, Frame, Mark, measure, tone_of
from ops.canary.rounds import Felt, RoundFailed, told_apart
from services.common.sight.metrics import Metrics

FRAME = RATE // 50


def sound(hertz: float, number: int = 0, level: float = 0.3) -> "array[int]":
    """20 ms of a tone, as the `number`th frame of it."""
    phases = (2 * math.pi * hertz * (number * FRAME + at) / RATE for at in range(FRAME))
    return array("h", (int(32767 * level * math.sin(phase)) for phase in phases))


def heard(seconds: float, delay: float, missing: tuple[range, ...] = ()) -> tuple[list[Frame], list[Mark], float]:
    """What arrives `delay` after it was said, but for the numbered frames that are missing."""
    count = round(seconds * 50)
    marks = [Mark(100.0 + second, second % len(TONES)) for second in range(math.ceil(seconds))]
    frames = [
        Frame(100.0 + number / 50 + delay, number / 50, sound(TONES[number // 50 % len(TONES)], number))
        for number in range(count)
        if not any(number in each for each in missing)
    ]
    return frames, marks, 100.0 + seconds + delay


@pytest.mark.parametrize("delay", [0.06, 0.21, 0.9, 1.7])
def test_the_delay_from_mouth_to_ear_is_found(delay: float) -> None:
    found = measure(*heard(5.0, delay))
    assert found.mouth_to_ear_seconds == pytest.approx(delay, abs=0.001)
    assert found.lost_ratio == pytest.approx(0.0, abs=0.005)
    assert found.longest_gap_seconds < 0.001


def test_missing_sound_is_counted_and_the_longest_gap_told() -> None:
    found = measure(*heard(5.0, 0.2, (range(60, 65), range(120, 145))))
    assert found.lost_ratio == pytest.approx(30 / 250, abs=0.005)
    assert found.longest_gap_seconds == pytest.approx(0.5, abs=0.001)
    assert found.mouth_to_ear_seconds == pytest.approx(0.2, abs=0.03)


def test_sound_that_stops_is_missing_to_the_end() -> None:
    found = measure(*heard(5.0, 0.2, (range(100, 250),)))
    assert found.lost_ratio == pytest.approx(0.6, abs=0.05)
    assert found.longest_gap_seconds == pytest.approx(3.0, abs=0.05)


def test_sound_that_comes_late_in_one_burst_was_a_gap() -> None:
    frames, marks, end = heard(5.0, 0.2)
    frames = [Frame(max(each.at, 103.2), each.position, each.samples) if each.at > 102.2 else each for each in frames]
    assert measure(frames, marks, end).longest_gap_seconds == pytest.approx(1.0, abs=0.05)


def test_silence_before_the_first_sound_is_waiting_and_no_loss() -> None:
    frames, marks, end = heard(5.0, 0.2)
    quiet = [Frame(each.at, each.position, array("h", bytes(FRAME * 2))) for each in frames[:50]]
    assert measure(quiet + frames[50:], marks, end).lost_ratio == pytest.approx(0.0, abs=0.005)


def test_nothing_and_silence_are_all_lost() -> None:
    assert measure([], [], 5.0).lost_ratio == 1.0
    assert measure([], [], 5.0).mouth_to_ear_seconds is None
    quiet = [Frame(number / 50, number / 50, array("h", bytes(FRAME * 2))) for number in range(50)]
    assert measure(quiet, [], 1.0).mouth_to_ear_seconds is None


def test_another_sound_is_not_taken_for_the_melody() -> None:
    assert [tone_of(sound(hertz)) for hertz in TONES] == [0, 1, 2, 3]
    assert tone_of(sound(520)) is None
    assert tone_of(sound(400, level=0.001)) is None
    mixed = array("h", (a + b for a, b in zip(sound(400), sound(1150), strict=True)))
    assert tone_of(mixed) in {0, 3, None}


def test_sound_that_came_to_the_bus_and_not_to_the_ear_was_lost_between_relay_and_listener() -> None:
    failed = RoundFailed("hear", "nothing in time")
    was_there, was_not = measure(*heard(5.0, 0.1)), measure([], [Mark(100.0, 0)], 105.0)
    assert str(told_apart(failed, was_there)) == "hear: nothing in time, but it was on the bus"
    assert str(told_apart(failed, was_not)) == "hear: nothing in time, nor anything on the bus"
    assert told_apart(failed, None) is failed


def test_what_was_interpreted_is_told_beside_what_was_heard_on_the_floor() -> None:
    metrics = Metrics("canary")
    told = Told(metrics, on_the_bus=False, interprets=True)
    told.good(Felt(0.2, 0.3, measure(*heard(5.0, 0.1)), interpreted=measure(*heard(5.0, 0.2, (range(60, 110),)))))
    text = generate_latest(metrics.registry).decode()
    assert "majlis_canary_mouth_to_language_seconds_count 1.0" in text
    assert "majlis_canary_language_longest_gap_seconds 1.0" in text
    assert "majlis_canary_bus" not in text


def test_sound_that_people_hear_and_the_bus_has_not_is_a_good_round_with_a_failure_of_its_own() -> None:
    metrics = Metrics("canary")
    told = Told(metrics, on_the_bus=True)
    was_there, was_not = measure(*heard(5.0, 0.1)), measure([], [Mark(100.0, 0)], 105.0)
    told.good(Felt(0.2, 0.3, was_there, was_not))
    text = generate_latest(metrics.registry).decode()
    assert 'majlis_canary_rounds_total{result="good"} 1.0' in text
    assert 'majlis_canary_failures_total{step="programme"} 1.0' in text
    told.good(Felt(0.2, 0.3, was_there, was_there))
    assert 'majlis_canary_failures_total{step="programme"} 1.0' in generate_latest(metrics.registry).decode()
