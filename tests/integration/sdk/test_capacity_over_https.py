"""`majlis capacity` of those who hear over HTTPS: what gateways carry, and what a plan takes of them."""

from tests.integration.sdk.test_command import Terminal, terminal
from tests.support.fake_hall import Hall

__all__ = ["terminal"]


def cells(shown: str) -> set[tuple[str, ...]]:
    """The rows of the tables of an output."""
    return {tuple(each.strip() for each in line.strip("│┃").split("│")) for line in shown.splitlines() if "│" in line}


async def test_a_plan_says_what_listeners_over_https_take_of_gateways_and_whether_these_let_them_in(
    terminal: Terminal, hall: Hall
) -> None:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    code, out, _ = await terminal.run("capacity", "--rooms", "4", "--over-https", "25")
    assert (code, "people 20 of 120 (5 not signed in), more it lets in 100" in " ".join(out.split())) == (0, True)
    assert {("MiB of gateways", "6"), ("cores of gateways", "0.01"), ("empty gateways", "1")} <= cells(out)
    code, out, _ = await terminal.run("capacity", "--rooms", "5", "--over-https", "50")
    assert (code, "let in over HTTPS now: 100 of 250." in " ".join(out.split())) == (1, True)
