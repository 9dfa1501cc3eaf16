"""A small evening under the product's own rules: the short form of `make simulate`."""

import pytest

from tests.load.fleet_model import World
from tests.load.fleet_parts import Outcome, Scenario
from tests.load.simulate import evening, main, rows

SHORT = Scenario(
    relays=12,
    arrivals=10_000,
    rooms=20,
    budget=19_000,
    arriving_seconds=150.0,
    stay_seconds=120.0,
    silences=4,
    deaths=1,
    troubles=2,
)


@pytest.fixture(scope="module")
def seen() -> Outcome:
    return World(SHORT).run()


def test_a_fleet_that_loses_heartbeats_and_relays_keeps_every_bar(seen: Outcome) -> None:
    missed = [(what, value, bar) for what, value, bar, met in rows(seen, SHORT) if not met]
    assert not missed


def test_the_short_evening_is_hard_enough_to_mean_something(seen: Outcome) -> None:
    assert seen.from_line > SHORT.arrivals / 10
    assert seen.lost_people > 0
    assert seen.steps > 0
    assert max(mean for _, mean, *_ in seen.samples) > 0.8


def test_the_same_seed_gives_the_same_evening(seen: Outcome) -> None:
    assert World(SHORT).run() == seen


def test_a_small_fleet_has_as_much_to_bear_for_each_relay_as_the_usual_one() -> None:
    usual, small = Scenario(), evening(relays=10, arrivals=None, seed=1, budget=None)
    assert evening(usual.relays, usual.arrivals, usual.seed, usual.budget) == usual
    assert small.arrivals == usual.arrivals // 10
    assert evening(relays=10, arrivals=10_000, seed=1, budget=None).arrivals == 10_000
    assert (small.rooms, small.silences, small.deaths, small.troubles) == (40, 2, 1, 1)


def test_a_fleet_of_one_relay_still_has_a_room() -> None:
    assert evening(relays=1, arrivals=10, seed=1, budget=None).rooms == 4


@pytest.mark.parametrize("fleet", [("--relays", "3", "--budget", "10"), ("--relays", "2", "--budget", "1")])
def test_a_fleet_too_small_for_its_rooms_is_said_in_a_sentence(
    fleet: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*fleet, "--arrivals", "50"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Nothing to simulate: such a fleet carries the stages of 0 rooms, and the evening has")
    assert said.endswith("Give it more relays, or each a larger budget.")


@pytest.mark.parametrize("option", ["--relays", "--arrivals", "--budget"])
def test_a_fleet_of_nothing_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([option, "0"])
    assert ended.value.code == 2
    assert f"argument {option}: must be at least 1" in capsys.readouterr().err
