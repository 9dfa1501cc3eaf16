"""The row of a second relay: what NATS and another relay add to a frame's way, its adaptive buffer apart."""

import asyncio
import bisect
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.load.crowd import value_of
from tests.load.house import House, open_house
from tests.load.machine import environment
from tests.load.rows import Row, row
from tests.support import load_tool
from tests.support.stack import ROOT
from tools.run.plan import free_port

HOME_BUDGET = 1000
"""Packets a second that the home relay may send: enough for some of the listeners only, so that others go next door."""
LISTENERS = 30
SECONDS = 30
SETTLE_SECONDS = 8
POLL_SECONDS = 0.02
"""Once a frame. Only that metric is asked for: a whole page would hold the interpreter while frames wait for it."""
DEPTH = "majlis_media_relay_core_playout_depth_ms_now"

Frames = list[tuple[float, float]]


def added_delays(home: list[Frames], away: list[Frames]) -> list[tuple[float, float]]:
    """(Arrival, ms later than at the home relay's listeners) of each frame that listeners elsewhere got."""
    arrivals: dict[float, list[float]] = {}
    for frames in home:
        for captured, arrived in frames:
            arrivals.setdefault(captured, []).append(arrived)
    at_home = {captured: statistics.median(times) for captured, times in arrivals.items()}
    return [
        (arrived, arrived - at_home[captured]) for frames in away for captured, arrived in frames if captured in at_home
    ]


def apart_from_buffer(added: list[tuple[float, float]], depths: list[tuple[float, float]]) -> list[float]:
    """The added delays without what the adaptive buffer held at that moment; `depths` are (time, ms), in order."""
    times = [at for at, _ in depths]
    result = []
    for arrived, delay in added:
        at = bisect.bisect_right(times, arrived) - 1
        result.append(delay - depths[max(0, at)][1])
    return result


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of all stay at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@asynccontextmanager
async def another_relay(house: House) -> AsyncIterator[int]:
    """A second relay beside the system's own; gives the port of its metrics."""
    first = environment(house.stack.pid("media_relay"))
    own = {name: value for name, value in first.items() if name.startswith("MEDIA_RELAY_")}
    metrics = free_port()
    changes = {
        "MEDIA_RELAY_RELAY_ID": "relay00001",
        "MEDIA_RELAY_BIND": "127.0.0.1:0",
        "MEDIA_RELAY_ADVERTISE": "127.0.0.1",
        "MEDIA_RELAY_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "MEDIA_RELAY_METRICS_LISTEN": f"127.0.0.1:{metrics}",
        "MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": "100000",
    }
    with (house.folder / "second-relay.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.media_relay", cwd=ROOT, env={**os.environ, **own, **changes},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await asyncio.sleep(4)
        yield metrics
    finally:
        await load_tool.stop(process)


async def watch_depth(port: int, found: list[tuple[float, float]]) -> None:
    """Notes how deep the second relay's buffer is, (wall clock in s, ms), until cancelled."""
    while True:
        found.append(
            (time.time(), await asyncio.to_thread(value_of, f"http://127.0.0.1:{port}/metrics?name[]={DEPTH}", DEPTH))
        )
        await asyncio.sleep(POLL_SECONDS)


def second_relay_row(report: dict[str, Any], home: str, depths: list[tuple[float, float]]) -> Row:
    name, began = "second_relay_p99_ms", report["began_unix_seconds"]
    of_home = [each["frames"] for each in report["listeners"] if each["relay"] == home]
    away = [each["frames"] for each in report["listeners"] if each["relay"] != home]
    depths = [((at - began) * 1000, depth) for at, depth in depths]
    late = SETTLE_SECONDS * 1000
    added = [(at, delay) for at, delay in added_delays(of_home, away) if at >= late]
    if not added or not depths:
        return row(name, None, "ms", f"{len(of_home)} listeners at home, {len(away)} on the second relay")
    apart = apart_from_buffer(added, depths)
    held = [depth for at, depth in depths if at >= late]
    context = (
        f"p50 {statistics.median(apart):.1f} ms; buffer depth p50 {statistics.median(held):.0f}, "
        f"most {max(held):.0f} ms apart; with it p99 {quantile([delay for _, delay in added], 0.99):.1f} ms; "
        f"{len(away)} listeners, {len(added)} packets"
    )
    return row(name, quantile(apart, 0.99), "ms", context)


async def second_relay_rows(folder: Path) -> list[Row]:
    """One room on two relays; the same frames at the listeners of both."""
    async with open_house(folder, MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET=str(HOME_BUDGET)) as house:
        home_port = house.stack.port + 2
        async with another_relay(house) as metrics:
            file = house.tokens_file("both", [house.speaker, *house.guests(LISTENERS)])
            where = ("--api", house.stack.url, "--room", house.room_id, "--tokens", str(file))
            times = ("--settle", str(SETTLE_SECONDS), "--seconds", str(SECONDS), "--listeners", str(LISTENERS))
            depths: list[tuple[float, float]] = []
            watching = asyncio.ensure_future(watch_depth(metrics, depths))
            try:
                report = await load_tool.run("ear", *where, *times, seconds=SECONDS + 60)
            finally:
                watching.cancel()
    home = next(each["relay"] for each in report["listeners"] if each["relay"].endswith(f":{home_port}"))
    return [second_relay_row(report, home, depths)]
