"""The short forms of the load runs: what they hold a system to holds in small, whatever machine runs them."""

from pathlib import Path

import pytest

from tests.load import churn, rungs, rush, tree
from tests.load.rows import Row

pytestmark = pytest.mark.alone

TIMED = {"page p99", "answer p99"}
"""Bars for a machine that has nothing else to do."""


def broken(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.met is False and row.name not in TIMED]


async def test_a_crowd_before_a_full_room_waits_in_order_and_nobody_inside_hears_it(tmp_path: Path) -> None:
    rows, panels = await rush.run(rush.SHORT, tmp_path)
    assert broken(rows) == []
    assert panels


async def test_people_come_hear_and_go_and_nothing_grows_with_them(tmp_path: Path) -> None:
    rows, panels = await churn.run(churn.SHORT, tmp_path)
    assert broken(rows) == []
    assert panels


async def test_a_tree_of_invitations_grows_no_faster_than_the_fleet_has_room(tmp_path: Path) -> None:
    rows, panels = await tree.run(tree.SHORT, tmp_path)
    assert broken(rows) == []
    assert panels


async def test_people_on_every_rung_hear_again_after_blocks_of_their_networks(tmp_path: Path) -> None:
    rows, panels = await rungs.run(rungs.SHORT, tmp_path)
    assert broken(rows) == []
    assert panels
