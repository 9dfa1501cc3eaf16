"""How far an interpreter is behind: right where it is said, and unsaid where it cannot be known."""

import random
from collections.abc import Callable, Iterator

import pytest

from services.media_relay.domain.lag import Lag, estimate

SECONDS = 90
Talk = list[tuple[float, float]]
"""From when to when somebody speaks."""


def speech(
    rng: random.Random, phrases: tuple[float, float] = (1.2, 6.0), pauses: tuple[float, float] = (0.4, 2.0)
) -> Talk:
    talk, at = [], rng.uniform(0.0, 1.0)
    while at < SECONDS:
        end = at + rng.uniform(*phrases)
        talk.append((at, end))
        at = end + rng.uniform(*pauses)
    return talk


def interpreted(rng: random.Random, talk: Talk, lag: float, looseness: float = 0.3) -> Talk:
    """Each phrase later, not always by as much, and longer or shorter than it was."""
    said, end = [], 0.0
    for begin, stop in talk:
        start = max(end + 0.15, begin + lag + rng.uniform(-looseness, looseness))
        end = start + (stop - begin) * rng.uniform(0.85, 1.1)
        said.append((start, end))
    return said


def activity(talk: Talk) -> str:
    steps = ["0"] * (SECONDS * 10)
    for begin, end in talk:
        for step in range(int(begin * 10), min(len(steps), int(end * 10))):
            steps[step] = "1"
    return "".join(steps)


def told(floor: Talk, booth: Talk) -> Iterator[float | None]:
    """What is known of the lag every two seconds, by the last forty of both."""
    lag, first, second = Lag(), activity(floor), activity(booth)
    for now in range(20, SECONDS, 2):
        window = slice(max(0, now * 10 - 400), now * 10)
        lag.look(first[window], second[window])
        yield lag.seconds


def told_of(make: Callable[[random.Random], tuple[Talk, Talk]], seeds: int) -> list[float | None]:
    return [each for seed in range(seeds) for each in told(*make(random.Random(seed)))]


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
def test_a_lag_of_half_a_second_to_five_is_known_within_half_a_minute_and_is_right(seconds: float) -> None:
    def make(rng: random.Random) -> tuple[Talk, Talk]:
        talk = speech(rng)
        return talk, interpreted(rng, talk, seconds)

    for seed in range(12):
        known = list(told(*make(random.Random(seed))))
        assert all(each is None or abs(each - seconds) <= 0.5 for each in known)
    every = told_of(make, 12)
    assert sum(each is not None for each in every) > len(every) / 2


def test_an_interpreter_who_follows_long_sentences_loosely_is_told_rightly_or_not_at_all() -> None:
    def make(rng: random.Random) -> tuple[Talk, Talk]:
        talk = speech(rng, phrases=(5.0, 15.0), pauses=(1.0, 4.0))
        return talk, interpreted(rng, talk, 2.5, looseness=0.6)

    known = [each for each in told_of(make, 20) if each is not None]
    assert known
    assert sum(abs(each - 2.5) <= 0.7 for each in known) >= 0.95 * len(known)


def test_two_who_have_nothing_to_do_with_each_other_have_no_lag() -> None:
    assert set(told_of(lambda rng: (speech(rng), speech(rng)), 40)) == {None}


@pytest.mark.parametrize(
    "booth", [[], [(0.0, float(SECONDS))]], ids=["who says nothing", "who speaks through the pauses"]
)
def test_who_goes_on_without_pauses_or_is_silent_has_no_lag(booth: Talk) -> None:
    assert set(told(speech(random.Random(1)), booth)) == {None}


def test_a_floor_that_comes_in_even_strokes_fits_everywhere_and_tells_nothing() -> None:
    strokes = [(float(at), at + 2.0) for at in range(0, SECONDS, 3)]
    assert set(told(strokes, [(begin + 1.0, end + 1.0) for begin, end in strokes])) == {None}


def test_whoever_is_ahead_of_the_floor_does_not_interpret_it() -> None:
    talk = speech(random.Random(3))
    assert set(told(interpreted(random.Random(4), talk, 2.0), talk)) == {None}


def test_a_few_seconds_say_nothing() -> None:
    floor = activity(speech(random.Random(1)))
    assert estimate(floor[:150], floor[:150]) is None
    assert estimate("", "") is None


def test_who_took_a_pause_from_interpreting_is_unknown_again() -> None:
    rng = random.Random(5)
    talk = speech(rng)
    lag, first, second = Lag(), activity(talk), activity(interpreted(rng, talk, 2.0))
    for now in range(40, 60, 2):
        lag.look(first[now * 10 - 400 : now * 10], second[now * 10 - 400 : now * 10])
    assert lag.seconds == pytest.approx(2.0, abs=0.3)
    for _ in range(4):
        lag.look(first[:400], "0" * 400)
    assert lag.seconds is None
