"""The row of a second relay: what NATS and another relay add to a frame's way, its adaptive buffer apart."""

import asyncio
import bisect
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.run.plan import free_port
from tests.load.house import House, open_house
from tests.load.machine import environment
from tests.load.noting_relay import HOLDS_FILE
from tests.load.rows import Row, row
from tests.support import load_tool
from tests.support.stack import ROOT

HOME_BUDGET = 2700
"""Packets a second that the home relay may promise: its stage and some of the listeners, so that others go on."""
LISTENERS = 30
SECONDS = 30
SETTLE_SECONDS = 8
SAME_FRAME_MS = 1.0
"""Capture times this close are one frame's: rounding differs, and frames are 20 ms apart."""
NTP_TO_UNIX_SECONDS = 2_208_988_800

Frames = list[tuple[float, float]]


@dataclass(frozen=True)
class Added:
    """A frame at a listener of the second relay; times in ms since the speaker began."""

    captured: float
    later: float
    """Than at the home relay's listeners."""


@dataclass(frozen=True)
class Held:
    """How long the second relay's buffer held a frame, ms."""

    captured: float
    held: float


def added_delays(home: list[Frames], away: list[Frames]) -> list[Added]:
    """Each frame that listeners elsewhere got, against the median of when those at home got it."""
    arrivals: dict[float, list[float]] = {}
    for frames in home:
        for captured, arrived in frames:
            arrivals.setdefault(captured, []).append(arrived)
    at_home = {captured: statistics.median(times) for captured, times in arrivals.items()}
    return [
        Added(captured, arrived - at_home[captured])
        for frames in away
        for captured, arrived in frames
        if captured in at_home
    ]


def apart_from_buffer(added: list[Added], held: list[Held]) -> list[float]:
    """The added delays without what the buffer held that very frame: who comes late is held less, and counts in full.

    Frames of which the relay noted nothing are left out. `held` is in order of capture.
    """
    times = [each.captured for each in held]
    result = []
    for frame in added:
        at = bisect.bisect_left(times, frame.captured - SAME_FRAME_MS)
        if at < len(held) and held[at].captured <= frame.captured + SAME_FRAME_MS:
            result.append(frame.later - held[at].held)
    return result


def read_holds(path: Path, began_unix_seconds: float) -> list[Held]:
    """What the second relay wrote down."""
    began = round((began_unix_seconds + NTP_TO_UNIX_SECONDS) * 2**32)
    noted: list[tuple[int, int]] = json.loads(path.read_text())
    return sorted(
        (Held((captured - began) * 1000 / 2**32, micros / 1000) for captured, micros in noted),
        key=lambda each: each.captured,
    )


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of all stay at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@asynccontextmanager
async def another_relay(house: House, holds: Path) -> AsyncIterator[None]:
    """A second relay beside the system's own; when it has ended, `holds` has what its buffer held."""
    first = environment(house.stack.pid("media_relay"))
    own = {name: value for name, value in first.items() if name.startswith("MEDIA_RELAY_")}
    changes = {
        "MEDIA_RELAY_RELAY_ID": "relay00001",
        "MEDIA_RELAY_BIND": "127.0.0.1:0",
        "MEDIA_RELAY_ADVERTISE": "127.0.0.1",
        "MEDIA_RELAY_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": "100000",
        HOLDS_FILE: str(holds),
    }
    with (house.folder / "second-relay.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.load.noting_relay", cwd=ROOT, env={**os.environ, **own, **changes},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await asyncio.sleep(4)
        yield
    finally:
        await load_tool.stop(process)


def second_relay_row(report: dict[str, Any], home: str, held: list[Held]) -> Row:
    name, late = "second_relay_p99_ms", SETTLE_SECONDS * 1000
    of_home = [each["frames"] for each in report["listeners"] if each["relay"] == home]
    away = [each["frames"] for each in report["listeners"] if each["relay"] != home]
    added = [frame for frame in added_delays(of_home, away) if frame.captured >= late]
    apart = apart_from_buffer(added, held)
    if len(apart) < 0.9 * max(1, len(added)):
        who = f"{len(of_home)} listeners at home, {len(away)} on the second relay"
        return row(name, None, "ms", f"{who}; of {len(added)} packets {len(apart)} with a note of what they were held")
    depths = [each.held for each in held if each.captured >= late]
    context = (
        f"p50 {statistics.median(apart):.1f} ms; the buffer held p50 {statistics.median(depths):.1f}, "
        f"p99 {quantile(depths, 0.99):.1f} ms of each frame, apart; "
        f"with it p99 {quantile([frame.later for frame in added], 0.99):.1f} ms; "
        f"{len(away)} listeners, {len(apart)} packets"
    )
    return row(name, quantile(apart, 0.99), "ms", context)


async def second_relay_rows(folder: Path) -> list[Row]:
    """One room on two relays; the same frames at the listeners of both."""
    holds = folder / "holds.json"
    async with open_house(folder, MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET=str(HOME_BUDGET)) as house:
        home_port = house.stack.port + 2
        async with another_relay(house, holds):
            file = house.tokens_file("both", [house.speaker, *house.guests(LISTENERS)])
            where = ("--api", house.stack.url, "--room", house.room_id, "--tokens", str(file))
            times = ("--settle", str(SETTLE_SECONDS), "--seconds", str(SECONDS), "--listeners", str(LISTENERS))
            report = await load_tool.run("ear", *where, *times, seconds=SECONDS + 60)
    home = next(each["relay"] for each in report["listeners"] if each["relay"].endswith(f":{home_port}"))
    return [second_relay_row(report, home, read_holds(holds, report["began_unix_seconds"]))]
