"""Rows of the benchmark: bars, the table people read, the file programs read, and which groups are measured."""

import json
from pathlib import Path

import pytest

from tests.load import bench
from tests.load.rows import BARS, LEAST, Row, row, table, write


def test_value_at_its_bar_meets_it_and_one_above_does_not() -> None:
    assert row("join_5000_s", 35, "s").met is True
    assert row("join_5000_s", 35.1, "s").met is False


def test_where_a_bar_is_the_least_more_meets_it_and_the_table_says_so() -> None:
    assert [row("ear_band_high_hz", hertz, "Hz").met for hertz in (14_900, 15_000, None)] == [False, True, False]
    assert "≥ 15000  met" in table([row("ear_band_high_hz", 19_500, "Hz")])


def test_row_that_could_not_be_measured_does_not_meet_its_bar() -> None:
    assert row("join_5000_s", None, "s", "the system did not start").met is False


def test_row_without_a_bar_is_neither_met_nor_missed() -> None:
    assert row("floor_us_20ms_5000", 2.3, "us/packet").met is None


def test_table_says_which_bars_are_not_met() -> None:
    lines = table([row("join_failed", 3, "joins"), row("gateway_ms_per_join", 2, "ms CPU")]).splitlines()
    assert "NOT MET" in lines[0]
    assert "met" in lines[1]
    assert "NOT" not in lines[1]


def test_file_holds_the_fields_of_each_row(tmp_path: Path) -> None:
    write([row("concealed_10", 0.0123456, "share", "seeded")], tmp_path / "deep" / "latest.json")
    (only,) = json.loads((tmp_path / "deep" / "latest.json").read_text())
    assert only == {
        "name": "concealed_10", "value": 0.01235, "unit": "share", "bar": 0.015, "context": "seeded", "at_least": False,
    }  # fmt: skip


def test_every_bar_belongs_to_a_row_of_some_group() -> None:
    measured = {name for group in bench.GROUPS for name in group.rows}
    assert set(BARS) | set(LEAST) <= measured
    assert not set(BARS) & set(LEAST)


def test_groups_are_chosen_by_name_or_by_how_their_rows_begin() -> None:
    def chosen(*parts: str) -> list[str]:
        return [group.name for group in bench.GROUPS if group.wanted(list(parts))]

    assert chosen("ear") == ["ear", "interpreter"]
    assert chosen("concealed_20", "join_") == ["crowd", "concealed"]
    assert len(chosen()) == len(bench.GROUPS)
    assert chosen("nothing") == []


async def test_group_that_fails_leaves_its_rows_empty_and_the_others_measured(tmp_path: Path) -> None:
    async def fails(_: Path) -> list[Row]:
        raise RuntimeError("the port is taken")

    async def works(_: Path) -> list[Row]:
        return [row("concealed_10", 0.01, "share")]

    groups = [bench.Group("ear", fails, ("ear_p95_ms_stage",)), bench.Group("concealed", works, ("concealed_10",))]
    rows, failed = await bench.measure(groups, tmp_path)
    assert failed == ["ear"]
    assert [each.value for each in rows] == [None, 0.01]
    assert "the port is taken" in rows[0].context


def test_unknown_row_is_refused_with_the_names_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--rows", "no_such_row"])
    assert bench.main() == 2
    assert "second_relay" in capsys.readouterr().err
