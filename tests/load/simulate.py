"""An evening of a large fleet, simulated: `python -m tests.load.simulate [--relays N] [--arrivals N] [--seed N]`.

Prints a table with bars, draws what was seen, and exits with 1 when a bar is missed.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.load.chart import Panel, Series, draw
from tests.load.fleet_model import World
from tests.load.fleet_parts import FleetTooSmall, Outcome, Scenario

PICTURE = Path("var/bench/simulation.png")


def rows(seen: Outcome, scenario: Scenario) -> list[tuple[str, str, str, bool]]:
    """What was seen, what it may be, and whether it is."""
    done = seen.entered + seen.gave_up
    asked = max(1, seen.from_line)
    return [
        ("greatest load over the mean", f"{seen.worst_ratio:.3f}", "<= 1.15", seen.worst_ratio <= 1.15),
        ("came in", f"{seen.entered:,} of {scenario.arrivals:,}", "all", done == scenario.arrivals),
        ("still waiting at the end", f"{seen.still_waiting:,}", "0", seen.still_waiting == 0),
        ("places lost while their people showed themselves", f"{seen.gave_up:,}", "0", seen.gave_up == 0),
        ("refused while a relay had room", f"{seen.refused_with_room:,}", "0", seen.refused_with_room == 0),
        ("asked after somebody who came later", f"{seen.inversions:,}", "< 1 %", seen.inversions < asked / 100),
        ("let in by the doors beyond free seats", f"{seen.above_headroom:,}", "0", seen.above_headroom == 0),
        ("moments at which a relay had too much", f"{seen.overloaded:,}", "0", seen.overloaded == 0),
        ("longest way back after a relay died", f"{seen.longest_return:.1f} s", "<= 15 s", seen.longest_return <= 15),
    ]


def table(seen: Outcome, scenario: Scenario) -> Table:
    """The rows, and beside them what has no bar."""
    shown = Table(title=f"{scenario.relays} relays, {scenario.arrivals:,} arrivals, seed {scenario.seed}")
    for name in ("what", "seen", "bar", ""):
        shown.add_column(name)
    for what, value, bar, met in rows(seen, scenario):
        shown.add_row(what, value, bar, "met" if met else "NOT MET")
    for what, value in (
        ("most that listeners of one room took of the fleet", f"{seen.most_share:.1%}"),
        ("heard through another region", f"{seen.far:,}"),
        ("steps of ladders", f"{seen.steps:,}"),
        ("came in by a line", f"{seen.from_line:,}"),
        ("longest wait", f"{seen.longest_wait:.0f} s"),
        ("lost their relay, and came back", f"{seen.lost_people:,}, {seen.came_back:,}"),
        ("permits that a relay refused", f"{seen.refused_by_relay:,}"),
        ("simulated", f"{seen.ended_at:.0f} s"),
    ):
        shown.add_row(what, value, "", "")
    return shown


def picture(seen: Outcome, scenario: Scenario, path: Path) -> None:
    """Loads above, people who wait below."""

    def over_time(name: str, column: int, times: float = 1.0) -> Series:
        return Series(name, [(sample[0], sample[column] * times) for sample in seen.samples])

    loads = [over_time("fullest relay", 2, 100), over_time("mean", 1, 100)]
    title = f"{scenario.relays} relays, {scenario.arrivals:,} arrivals in {scenario.arriving_seconds:.0f} s (simulated)"
    panels = [Panel("load", "% of the limit", loads, bar=100.0), Panel("waiting", "people", [over_time("waiting", 3)])]
    draw(path, title, panels)


def evening(relays: int, arrivals: int | None, seed: int, budget: int | None) -> Scenario:
    """A fleet of another size has as many rooms, people and mishaps for each of its relays as the usual one."""
    usual = Scenario()

    def for_each(count: int) -> int:
        return max(1, round(count * relays / usual.relays))

    return Scenario(
        relays=relays,
        arrivals=arrivals or for_each(usual.arrivals),
        seed=seed,
        budget=budget,
        rooms=for_each(usual.rooms),
        silences=for_each(usual.silences),
        deaths=for_each(usual.deaths),
        troubles=for_each(usual.troubles),
    )


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one scenario and says how it went."""
    usual = Scenario()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--relays", type=_some, default=usual.relays)
    parser.add_argument("--arrivals", type=_some, help="how many come; default: 5,000 for each relay")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--budget", type=_some, help="packets a second of each relay; default: a machine of two cores")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    chosen = parser.parse_args(arguments)
    scenario = evening(chosen.relays, chosen.arrivals, chosen.seed, chosen.budget)
    console = Console()
    try:
        seen = World(scenario).run()
    except FleetTooSmall as error:
        console.print(f"Nothing to simulate: {error}. Give it more relays, or each a larger budget.", highlight=False)
        return 1
    console.print(table(seen, scenario))
    picture(seen, scenario, chosen.picture)
    console.print(f"{time.process_time():.0f} s of CPU. Picture: {chosen.picture}")
    return 0 if all(met for *_, met in rows(seen, scenario)) else 1


if __name__ == "__main__":
    sys.exit(main())
