"""`majlis ladder` as an operator types it, against a small hall."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.sdk.test_command import Terminal, signed_in, terminal
from tests.integration.sdk.test_doors_command import operator

__all__ = ["operator", "signed_in", "terminal"]


async def test_operators_see_where_relays_stand_hold_them_at_a_step_and_let_them_go(operator: Terminal) -> None:
    code, out, err = await operator.run("ladder", "show")
    assert (code, err) == (0, "")
    assert "relay00000: packets of 40 ms (as it measures); 63% of its work taken, loop late 4 ms" in out
    assert "Ordered" not in out
    code, out, _ = await operator.run("ladder", "pin", "waiting", "--reason", "A disk is changed", "--hours", "2")
    assert code == 0
    assert "relay00000:" not in out, "a relay says itself where it stands, once it heard"
    assert "Ordered for all relays until" in out
    assert "A disk is changed" in out
    assert "Relays follow within seconds" in out
    _, out, _ = await operator.run("ladder", "show")
    assert "relay00000: newcomers wait (ordered by an operator)" in out
    _, out, _ = await operator.run("ladder", "show", "--json")
    told = json.loads(out)
    (order,) = told["orders"]
    assert (order["relay_id"], order["step"], told["relays"][0]["cause"]) == ("", 7, "order")
    left = datetime.fromisoformat(order["until"]) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)
    _, out, _ = await operator.run("ladder", "show", language="ru_RU.UTF-8")
    assert "новые гости ждут (по распоряжению оператора)" in out
    code, out, _ = await operator.run("ladder", "release")
    assert code == 0
    assert "Ordered" not in out
    assert "come down from where they stand by a step for each minute of calm" in out
    _, out, _ = await operator.run("ladder", "release", "--json")
    assert json.loads(out) == {"orders": []}


async def test_one_relay_is_held_by_its_name(operator: Terminal) -> None:
    _, out, _ = await operator.run("ladder", "pin", "none", "--relay", "relay00000", "--reason", "x")
    assert "Ordered for relay00000 until" in out
    _, out, _ = await operator.run("ladder", "release", "--relay", "relay00000")
    assert "Ordered" not in out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("up", "--reason", "x"), "one of none, red_off"),
        (("waiting", "--reason", " "), "Say why."),
        (("waiting", "--reason", "x", "--hours", "200"), "168"),
        (("waiting",), "--reason"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(
    operator: Terminal, given: tuple[str, ...], told: str
) -> None:
    code, _, err = await operator.run("ladder", "pin", *given)
    assert code == 2
    assert told in err
    _, out, _ = await operator.run("ladder", "show")
    assert "Ordered" not in out
