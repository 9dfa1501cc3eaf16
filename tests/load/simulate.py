"""An evening of a large fleet, simulated: `python -m tests.load.simulate [--relays N] [--arrivals N] [--seed N]`.

Prints a table with bars and exits with 1 when one is missed. Draws a PNG where matplotlib is installed: nothing else
here needs it, so it is not among the locked packages.
"""

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.load.fleet_model import World
from tests.load.fleet_parts import Outcome, Scenario

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
        ("came in by a line", f"{seen.from_line:,}"),
        ("longest wait", f"{seen.longest_wait:.0f} s"),
        ("lost their relay, and came back", f"{seen.lost_people:,}, {seen.came_back:,}"),
        ("permits that a relay refused", f"{seen.refused_by_relay:,}"),
        ("simulated", f"{seen.ended_at:.0f} s"),
    ):
        shown.add_row(what, value, "", "")
    return shown


def draw(seen: Outcome, path: Path) -> None:
    """Loads above, people who wait below."""
    importlib.import_module("matplotlib").use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, (loads, waiting) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 6))
    times = [sample[0] for sample in seen.samples]
    loads.plot(times, [sample[2] for sample in seen.samples], label="fullest relay")
    loads.plot(times, [sample[1] for sample in seen.samples], label="mean")
    loads.set_ylabel("share of the limit")
    loads.set_ylim(0, 1.05)
    loads.legend()
    waiting.plot(times, [sample[3] for sample in seen.samples])
    waiting.set_ylabel("people waiting")
    waiting.set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> int:
    """Runs one scenario and says how it went."""
    usual = Scenario()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--relays", type=int, default=usual.relays)
    parser.add_argument("--arrivals", type=int, default=usual.arrivals)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--budget", type=int, help="packets a second of each relay; default: a machine of two cores")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    chosen = parser.parse_args()
    scenario = Scenario(relays=chosen.relays, arrivals=chosen.arrivals, seed=chosen.seed, budget=chosen.budget)
    seen, console = World(scenario).run(), Console()
    console.print(table(seen, scenario))
    if importlib.util.find_spec("matplotlib") is None:
        console.print("No picture: matplotlib is not installed.")
    else:
        draw(seen, chosen.picture)
        console.print(f"Picture: {chosen.picture}")
    return 0 if all(met for *_, met in rows(seen, scenario)) else 1


if __name__ == "__main__":
    sys.exit(main())
