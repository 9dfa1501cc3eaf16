"""`make soak`: people come and go without end, each a different one, and nothing grows."""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from tests.load.chart import Panel, Series
from tests.load.crowd import NO_BUDGET, core_drops, token_file, tokens
from tests.load.hall import make_rooms, players
from tests.load.house import open_house
from tests.load.rows import Row
from tests.load.verdict import bar, conclude, fact, run_to_end
from tests.load.watch import Gauge, Points, Watch, by_second, quantile
from tests.support import load_tool

PARTS = ("gateway", "room_directory", "media_relay", "invite", "auth")
MOST_MINUTES = 50
"""Tokens live for an hour."""
MOST_MEMORY = {"gateway": 6.0, "room_directory": 6.0, "media_relay": 8.0, "invite": 2.0, "auth": 2.0}
"""MiB from the second third of a run to its last."""
MOST_FILES = 8.0
"""Connections that are under way at the moments that are compared."""


@dataclass(frozen=True)
class Churn:
    """How large a run is."""

    minutes: float = 30.0
    a_second: float = 20.0
    stay: float = 10.0
    audience: int = 40
    """Who stays, and hears all of it."""
    silent: bool = False

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def people(self) -> int:
        return int((self.seconds - self.stay - 3) * self.a_second)


SHORT = Churn(minutes=0.3, stay=1.5, audience=5)


async def run(churn: Churn, folder: Path) -> tuple[list[Row], list[Panel]]:
    """The whole run."""
    async with open_house(folder, **NO_BUDGET) as house, players(house.stack.url, "--tries", "8") as tool:
        (room,) = await make_rooms(house.stack, 1, churn.audience)
        await tool.fill([room.everybody()], 2.0)
        await tool.measured(2.0)
        gauges = {
            "sessions": Gauge("media_relay", "majlis_media_relay_sessions", 'kind="audience"'),
            "seats": Gauge("room_directory", "majlis_room_directory_listeners"),
        }
        people = token_file(folder / "churn", tokens(house.stack, churn.people))
        drops = await core_drops(house.stack)
        async with Watch(house.stack, PARTS, gauges, every=max(1.0, churn.seconds / 400)) as watch:
            await tool.fill([], churn.seconds)
            found = await load_tool.run(
                "knock", "--api", house.stack.url, "--room", room.room_id, "--tokens", str(people),
                "--rate", str(churn.a_second), "--seconds", str(churn.seconds), "--stay", str(churn.stay),
                *(["--silent"] if churn.silent else []), seconds=churn.seconds + 60,
            )  # fmt: skip
            told = await tool.measured(churn.seconds)
        dropped = {cause: count - drops[cause] for cause, count in (await core_drops(house.stack)).items()}
        return rows(churn, watch, found, told, dropped), panels(watch, found)


def rows(
    churn: Churn, watch: Watch, found: dict[str, Any], told: dict[str, Any], dropped: dict[str, float]
) -> list[Row]:
    """What was seen, with its bars."""
    people: list[dict[str, Any]] = found["people"]
    seated = sum(each["seated"] is not None for each in people)
    unseated = len(people) - seated
    answers = [took for _, took in found["answers"]]
    lost = told["lost"] / max(1, told["received"] + told["lost"])
    why = "; ".join([*(f"{count} {reason}" for reason, count in found["refused"].items()), *found["failures"]])
    causes = ", ".join(f"{cause} {count:.0f}" for cause, count in dropped.items() if count)
    opened = 0 if churn.silent else seated - found["hearing"]
    return [
        fact("people who came", len(people), "", f"{churn.a_second:g} a second, each another one; {seated} came in"),
        bar("people who did not come in", unseated + found["failed"], 0, "", why),
        bar("people who heard nothing", opened, max(1, len(people) // 1000), "", f"of {seated}"),
        fact("answer p99", quantile(answers, 0.99), "ms", f"p50 {quantile(answers, 0.5):.0f}"),
        bar("packets lost by who stays", 100 * lost, 0.1, "%", f"{told['lost']} of {told['received']}; {causes}"),
        *(bar(f"{part} memory grew", grown(watch.of(f"{part} memory")), MOST_MEMORY[part], "MiB",
              f"from {watch.first(f'{part} memory'):.0f} to {watch.last(f'{part} memory'):.0f} in all")
          for part in PARTS),
        *(bar(f"{part} files grew", grown(watch.of(f"{part} files")), MOST_FILES, "",
              f"from {watch.first(f'{part} files'):.0f} to {watch.last(f'{part} files'):.0f} in all")
          for part in PARTS),
        fact("load tool", found["tool_cores"], "cores", f"{found['tool_peak_mebibytes']:.0f} MiB"),
    ]  # fmt: skip


def grown(points: Points) -> float:
    """How much more there is on average in the last third than in the one before: what fills at first is no growth."""
    values = [value for _, value in points]
    third = max(1, len(values) // 3)
    return mean(values[-third:]) - mean(values[-2 * third : -third] or values[:third])


def panels(watch: Watch, found: dict[str, Any]) -> list[Panel]:
    """The same over time."""
    people = found["people"]

    def p99(values: list[float]) -> float:
        return quantile(values, 0.99)

    came = by_second(((each["arrived"], 1.0) for each in people), sum)
    gone = by_second(((each["left"], 1.0) for each in people if each["left"] is not None), sum)
    return [
        Panel("At the door", "people a second", [Series("come", came), Series("have gone", gone)]),
        Panel("Answers", "ms", [Series("p99", by_second(found["answers"], p99))]),
        Panel("Inside", "people", [Series("seats", watch.of("seats")), Series("sessions", watch.of("sessions"))]),
        Panel("Memory", "MiB", [Series(part, watch.of(f"{part} memory")) for part in PARTS]),
        Panel("Files", "open", [Series(part, watch.of(f"{part} files")) for part in PARTS]),
        Panel("Processor", "cores", [Series(part, watch.of(f"{part} cores")) for part in PARTS[:3]]),
    ]


def main() -> int:
    """Command line; 1 when a bar is broken."""
    parser = argparse.ArgumentParser(prog="tests.load.churn", description=__doc__)
    parser.add_argument("--short", action="store_true", help="half a minute of it, for CI")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long")
    parser.add_argument("--rate", type=float, default=0.0, help="people a second")
    parser.add_argument("--silent", action="store_true", help="seats only, without sound: many more people a second")
    options = parser.parse_args()
    churn = SHORT if options.short else Churn(silent=options.silent)
    if options.silent:
        churn = replace(churn, stay=1.0)
    if options.minutes:
        churn = replace(churn, minutes=min(options.minutes, MOST_MINUTES))
    if options.rate:
        churn = replace(churn, a_second=options.rate)
    with tempfile.TemporaryDirectory(prefix="majlis-soak-") as folder:
        found, drawn = run_to_end(run(churn, Path(folder)))
    title = f"make soak: {churn.a_second:g} people a second for {churn.minutes:g} minutes, {churn.people:,} in all"
    return conclude("soak", title, found, drawn)


if __name__ == "__main__":
    sys.exit(main())
