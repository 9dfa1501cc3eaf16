"""`make crowd`: thousands arrive within seconds before a room that is full, while another room talks."""

import argparse
import sys
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from tests.load.chart import Panel, Series
from tests.load.crowd import NO_BUDGET, core_drops, token_file, tokens
from tests.load.hall import Room, make_rooms, players
from tests.load.house import House, open_house
from tests.load.rows import Row
from tests.load.verdict import bar, conclude, fact, run_to_end
from tests.load.watch import Gauge, Points, Watch, by_second, quantile
from tests.support import load_tool

PARTS = ("gateway", "room_directory", "media_relay", "invite", "auth")
OFFER_SECONDS = 15.0
"""A seat is held for whoever is next so long: only who waits on after that was passed over."""
TIE_SECONDS = 0.25
"""Who knocks so close together comes at once: five hundred people of this crowd, of whom no server knows the order."""


@dataclass(frozen=True)
class Rush:
    """How large a run is."""

    arrivals: int = 20_000
    within: float = 10.0
    seats: int = 300
    inside: int = 290
    """Who listens in the full room from the start; the rest of its seats go round among those who come."""
    beside: int = 20
    """Listeners of the other room."""
    seconds: float = 60.0
    stay: float = 5.0

    def env(self) -> dict[str, str]:
        return {**NO_BUDGET, "ROOM_DIRECTORY_LISTENER_LIMIT": str(self.seats)}


MANY_WAITING = 5_000
"""So many tell how much each of them takes."""
SHORT = Rush(arrivals=500, within=5.0, seats=24, inside=20, beside=4, seconds=18.0, stay=2.0)


async def run(rush: Rush, folder: Path) -> tuple[list[Row], list[Panel]]:
    """The whole run."""
    async with open_house(folder, **rush.env()) as house, players(house.stack.url, "--tries", "8") as tool:
        full, other = await make_rooms(house.stack, 2, rush.inside)
        came = await tool.fill(
            [
                {"room": full.room_id, "speakers": [full.leader], "listeners": full.listeners},
                {"room": other.room_id, "speakers": [other.leader], "listeners": other.listeners[: rush.beside]},
            ],
            2.0,
        )
        await tool.measured(2.0)
        if came["hearing"] < rush.inside + rush.beside:
            raise RuntimeError(f"only {came['hearing']} hear before the rush: {came}")
        gauges = {
            "sessions": Gauge("media_relay", "majlis_media_relay_sessions", 'kind="audience"'),
            "seats": Gauge("room_directory", "majlis_room_directory_listeners"),
            "waiting": Gauge("room_directory", "majlis_room_directory_waiting_people"),
        }
        drops = await core_drops(house.stack)
        async with Watch(house.stack, PARTS, gauges) as watch:
            await tool.fill([], rush.seconds)
            found = await knock(house, full, rush)
            told = await tool.measured(rush.seconds)
        dropped = {cause: count - drops[cause] for cause, count in (await core_drops(house.stack)).items()}
        return rows(rush, watch, found, told, dropped), panels(watch, found)


async def knock(house: House, full: Room, rush: Rush) -> dict[str, Any]:
    """The crowd, as it went."""
    people = token_file(house.folder / "rush", tokens(house.stack, rush.arrivals))
    return await load_tool.run(
        "knock", "--api", house.stack.url, "--room", full.room_id, "--tokens", str(people), "--page",
        "--rate", str(rush.arrivals / rush.within), "--seconds", str(rush.seconds), "--stay", str(rush.stay),
        seconds=rush.seconds + 60,
    )  # fmt: skip


def rows(rush: Rush, watch: Watch, found: dict[str, Any], told: dict[str, Any], dropped: dict[str, float]) -> list[Row]:
    """What was seen, with its bars."""
    people: list[dict[str, Any]] = found["people"]
    firsts = [1000 * (each["answered"] - each["arrived"]) for each in people if each["answered"] is not None]
    unanswered = len(people) - len(firsts)
    answers = [took for _, took in found["answers"]]
    pages = [took for _, took in found["pages"]]
    seats = rush.seats + rush.beside
    lost = told["lost"] / max(1, told["received"] + told["lost"])
    seated = [each for each in people if each["seated"] is not None]
    grown = {part: watch.most(f"{part} memory") - watch.first(f"{part} memory") for part in PARTS}
    kept = sum(watch.last(f"{part} memory") - watch.first(f"{part} memory") for part in PARTS)
    refused = ", ".join(f"{count} {reason}" for reason, count in found["refused"].items()) or "none refused"
    failures = "; ".join(found["failures"])
    waiting, over = watch.most("waiting"), passed(people, rush.seconds)
    return [
        bar("sessions", watch.most("sessions"), seats, "", f"{rush.seats} seats and {rush.beside} in the other room"),
        bar("seats taken", watch.most("seats"), seats, ""),
        bar("page p99", quantile(pages, 0.99), 1000, "ms", f"p50 {quantile(pages, 0.5):.0f} of {len(pages)}"),
        bar("answer p99", quantile(answers, 0.99), 1000, "ms", f"p50 {quantile(answers, 0.5):.0f} of {len(answers)}"),
        fact("page and first answer p99", quantile(firsts, 0.99), "ms", f"p50 {quantile(firsts, 0.5):.0f}"),
        bar("without an answer", unanswered + found["failed"], 0, "people", f"{refused}; {failures}"),
        bar("packets lost inside", 100 * lost, 0.1, "%", f"{told['lost']} of {told['received']}, {told['deaf']} deaf"),
        bar("people cut off inside", told["ended"], 0, "", ", ".join(f"{k} {v:.0f}" for k, v in dropped.items() if v)),
        bar("inversions", 100 * inverted(people), 1, "%", "pairs in which the later one came in first"),
        bar("passed over", 100 * over / max(1, len(seated)), 1, "%", f"{over} of {len(seated)} who were seated"),
        _memory_each(kept, waiting),
        bar("gateway grew", grown["gateway"], 160, "MiB"),
        bar("room_directory grew", grown["room_directory"], 64, "MiB"),
        bar("media_relay grew", grown["media_relay"], 32, "MiB"),
        fact("gateway files", watch.most("gateway files"), "", f"{watch.last('gateway files'):.0f} at the end"),
        fact("load tool", found["tool_cores"], "cores", f"{found['tool_peak_mebibytes']:.0f} MiB"),
    ]  # fmt: skip


def _memory_each(kept: float, waiting: float) -> Row:
    """Beside what parts take for the first crowd they see, a few hundred people say nothing of each."""
    each, context = 1024 * kept / max(1.0, waiting), f"{waiting:.0f} waited"
    few = waiting < MANY_WAITING
    return (
        fact("memory a waiting person", each, "KiB", context)
        if few
        else bar("memory a waiting person", each, 1, "KiB", context)
    )


def in_order(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those who had an answer, in the order in which they knocked."""
    return sorted((each for each in people if each["answered"] is not None), key=lambda each: float(each["knocked"]))


def inverted(people: list[dict[str, Any]]) -> float:
    """Share of the pairs (somebody who came in, somebody else) in which the one who arrived later came in first."""
    order = [each["seated"] for each in in_order(people)]
    inside = sorted((at, number) for number, at in enumerate(order) if at is not None)
    wrong = 0
    for at, number in inside:
        wrong += sum(1 for earlier in order[:number] if earlier is None or earlier > at)
    return wrong / max(1, len(inside) * (len(order) - 1))


def passed(people: list[dict[str, Any]], seconds: float) -> int:
    """How many came in although somebody who had knocked well before still waited when a seat held for them lapsed."""
    order = in_order(people)
    knocks = [float(each["knocked"]) for each in order]
    latest, count = list(accumulate((_seated(each, seconds) for each in order), max)), 0
    for each in order:
        before = bisect_right(knocks, each["knocked"] - TIE_SECONDS)
        if before and each["seated"] is not None and latest[before - 1] > each["seated"] + OFFER_SECONDS:
            count += 1
    return count


def _seated(person: dict[str, Any], seconds: float) -> float:
    return float(person["seated"]) if person["seated"] is not None else seconds


def panels(watch: Watch, found: dict[str, Any]) -> list[Panel]:
    """The same over time."""
    people = found["people"]
    arrived: Points = by_second(((each["arrived"], 1.0) for each in people), sum)
    seated: Points = by_second(((each["seated"], 1.0) for each in people if each["seated"] is not None), sum)

    def p99(values: list[float]) -> float:
        return quantile(values, 0.99)

    return [
        Panel("At the door", "people a second", [Series("arrive", arrived), Series("are seated", seated)]),
        Panel("Answers", "ms", [Series("page p99", by_second(found["pages"], p99)),
                                Series("place or seat p99", by_second(found["answers"], p99))], bar=1000),
        Panel("Waiting", "people", [Series("wait", watch.of("waiting"))]),
        Panel("Seats", "people", [Series("seats taken", watch.of("seats")), Series("sessions", watch.of("sessions"))]),
        Panel("Processor", "cores", [Series(part, watch.of(f"{part} cores")) for part in PARTS[:3]]),
        Panel("Memory", "MiB", [Series(part, watch.of(f"{part} memory")) for part in PARTS]),
    ]  # fmt: skip


def main() -> int:
    """Command line; 1 when a bar is broken."""
    parser = argparse.ArgumentParser(prog="tests.load.rush", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of it, for CI")
    parser.add_argument("--arrivals", type=int, default=0, help="how many come")
    options = parser.parse_args()
    rush = SHORT if options.short else Rush()
    if options.arrivals:
        rush = Rush(arrivals=options.arrivals)
    with tempfile.TemporaryDirectory(prefix="majlis-crowd-") as folder:
        found, drawn = run_to_end(run(rush, Path(folder)))
    title = f"make crowd: {rush.arrivals:,} people within {rush.within:g} s before {rush.seats} seats"
    return conclude("crowd", title, found, drawn)


if __name__ == "__main__":
    sys.exit(main())
