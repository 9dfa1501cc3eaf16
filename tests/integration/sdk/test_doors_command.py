"""`majlis doors` as an operator types it, against a small hall."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.sdk.test_command import Terminal, signed_in, terminal
from tests.support.fake_hall import Hall

__all__ = ["signed_in", "terminal"]


@pytest.fixture
async def operator(terminal: Terminal, hall: Hall) -> Terminal:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    return terminal


async def test_operators_see_the_doors_order_them_with_reason_and_end_and_take_the_order_back(
    operator: Terminal,
) -> None:
    code, out, err = await operator.run("doors", "show")
    assert (code, err) == (0, "")
    assert "Doors: open (as the relays have room)" in out
    assert "500 free of 1,000; relays heard: 2" in out
    assert "places kept 7" in out
    assert "Ordered until" not in out
    code, out, _ = await operator.run(
        "doors", "order", "paced", "--a-minute", "6", "--reason", "A talk begins", "--hours", "2"
    )
    assert code == 0
    assert "Doors: paced (ordered by an operator)" in out
    assert "A talk begins" in out
    _, out, _ = await operator.run("doors", "show", "--json")
    told = json.loads(out)
    assert (told["doors"]["state"], told["doors"]["cause"]) == ("paced", "operator")
    assert (told["override"]["newcomers_a_minute"], told["override"]["reason"]) == (6, "A talk begins")
    left = datetime.fromisoformat(told["override"]["until"]) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)
    _, out, _ = await operator.run("doors", "order", "paused", "--reason", "x", language="ru_RU.UTF-8")
    assert "Двери: закрыты на время (по распоряжению оператора)" in out
    code, out, _ = await operator.run("doors", "clear")
    assert code == 0
    assert "Doors: open" in out
    assert "Ordered until" not in out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("paced", "--reason", "x"), "1 to 6,000"),
        (("open", "--reason", "x", "--a-minute", "5"), "only with it"),
        (("open", "--reason", " "), "Say why."),
        (("ajar", "--reason", "x"), "open, paced or paused"),
        (("open", "--reason", "x", "--hours", "200"), "168"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(
    operator: Terminal, given: tuple[str, ...], told: str
) -> None:
    code, _, err = await operator.run("doors", "order", *given)
    assert code == 2
    assert told in err
    _, out, _ = await operator.run("doors", "show")
    assert "Doors: open" in out


async def test_who_is_no_operator_is_told_how_operators_sign_in(signed_in: Terminal) -> None:
    code, _, err = await signed_in.run("doors", "order", "paused", "--reason", "x")
    assert code == 1
    assert "majlis login --email" in err
