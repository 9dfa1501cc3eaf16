"""A relay sends with the cores it has, and promises what they can."""

from pathlib import Path

import pytest

from services.media_relay.domain.capacity import MAX_SENDER_THREADS
from services.media_relay.fleet.machine import cores, programme_threads, sender_threads
from services.programme.work import Costs, Machine


@pytest.mark.parametrize(("available", "threads"), [(1, 1), (2, 1), (3, 2), (8, 7), (17, 16), (128, 16)])
def test_all_cores_but_one_send(available: int, threads: int) -> None:
    assert sender_threads(available) == threads


@pytest.mark.parametrize(("available", "threads"), [(1, 1), (2, 1), (8, 7), (128, 16)])
def test_rooms_are_spread_over_all_cores_but_one(available: int, threads: int) -> None:
    assert programme_threads(available) == threads


def test_what_is_set_is_taken() -> None:
    assert (sender_threads(2, 4), programme_threads(2, 3)) == (4, 3)
    assert sender_threads(128, MAX_SENDER_THREADS) == MAX_SENDER_THREADS


def promised(cores: int, senders: int, programmes: int = 1) -> tuple[int, int]:
    """Usual work and packets that a relay promises where a packet costs 2.5 µs."""
    machine = Machine(cores=cores, sender_threads=senders, programme_threads=programmes)
    limits = machine.limits(Costs(packet=2.5))
    return limits.usual, limits.sending


def test_the_promise_grows_with_the_threads_that_have_a_core() -> None:
    assert promised(2, 1) == (300_000, 300_000)
    assert promised(8, 7) == (7 * 300_000, 7 * 300_000)
    assert promised(8, 2) == (2 * 300_000, 2 * 300_000)
    assert promised(8, 2, 7) == (7 * 300_000, 2 * 300_000)


def test_threads_without_a_core_promise_nothing() -> None:
    assert promised(2, 16, 16) == promised(2, 1)


def test_programmes_and_senders_together_are_bound_by_the_cores_there_are() -> None:
    alone = Machine(cores=1, sender_threads=1, programme_threads=1).limits(Costs(packet=2.5))
    both = Machine(cores=2, sender_threads=1, programme_threads=1).limits(Costs(packet=2.5))
    assert both.together == 2 * alone.together
    assert both.programme == alone.programme


def test_a_slow_machine_promises_a_little_all_the_same() -> None:
    assert Machine(cores=1, sender_threads=1, programme_threads=1).limits(Costs(packet=100_000)).usual == 1000


def test_a_budget_that_is_set_is_taken_as_it_is() -> None:
    limits = Machine(cores=1, sender_threads=1, programme_threads=1).limits(Costs(), 7_000)
    assert (limits.usual, limits.sending, limits.programme, limits.together) == (7_000, 7_000, 0, 0)


@pytest.mark.parametrize(
    ("text", "most"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_a_quota_bounds_the_cores(tmp_path: Path, text: str, most: int | None) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    without = cores(tmp_path / "no quota")
    assert cores(quota) == (without if most is None else most)
