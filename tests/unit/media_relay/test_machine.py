"""A relay sends with the cores it has, and promises what they can."""

from pathlib import Path

import pytest

from services.media_relay.domain.capacity import MAX_SENDER_THREADS
from services.media_relay.fleet.machine import cores, packet_budget, sender_threads


@pytest.mark.parametrize(("available", "threads"), [(1, 1), (2, 1), (3, 2), (8, 7), (17, 16), (128, 16)])
def test_all_cores_but_one_send(available: int, threads: int) -> None:
    assert sender_threads(available) == threads


def test_what_is_set_is_taken() -> None:
    assert sender_threads(2, 4) == 4
    assert sender_threads(128, MAX_SENDER_THREADS) == MAX_SENDER_THREADS


def test_the_promise_grows_with_the_threads_that_have_a_core() -> None:
    one = packet_budget(400_000, 2, 1)
    assert one == 300_000
    assert packet_budget(400_000, 8, 7) == 7 * one
    assert packet_budget(400_000, 8, 2) == 2 * one


def test_threads_without_a_core_promise_nothing() -> None:
    assert packet_budget(400_000, 2, 16) == packet_budget(400_000, 2, 1)


def test_a_slow_machine_promises_a_little_all_the_same() -> None:
    assert packet_budget(10, 1, 1) == 1000


@pytest.mark.parametrize(
    ("text", "most"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_a_quota_bounds_the_cores(tmp_path: Path, text: str, most: int | None) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    without = cores(tmp_path / "no quota")
    assert cores(quota) == (without if most is None else most)
