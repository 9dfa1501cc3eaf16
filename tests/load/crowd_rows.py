"""Rows of the whole system with 5,000 listeners: joins, sound for a minute, memory."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.crowd import NO_BUDGET, Crowd, core_drops
from tests.load.house import House, open_house
from tests.load.machine import Cost, cost, pin, prefer, resident_kib
from tests.load.rows import Row, row
from tests.support.stack import Stack

LISTENERS = 5000
WINDOW_SECONDS = 60
LONG_PACKET_SECONDS = 30
JOINS_A_SECOND = "160"
JOIN_SECONDS = 200
"""All must be here, or have been refused, by then."""
CALM_SECONDS = 3
"""Between the last join and the measured time."""
REPORT_SECONDS = 150
"""After the measured time, the load tool's own report is there by then."""
POLL_MS = "200"
"""The load tool looks at each socket that often; the kernel stamps arrivals."""
PARTS = ("media_relay", "room_directory", "gateway")


@dataclass(frozen=True)
class Sustained:
    """What the relay did while everyone listened."""

    spent: Cost
    seconds: float
    drops: dict[str, float]
    pinned: bool


def costs(stack: Stack) -> dict[str, Cost]:
    """CPU of the three parts so far."""
    return {name: cost(stack.pid(name)) for name in PARTS}


async def sustained(stack: Stack, crowd: Crowd, seconds: float) -> Sustained:
    """Pins relay and load tool to a core each and watches the relay for a while."""
    relay = stack.pid("media_relay")
    pinned = pin(relay, {1}) and pin(crowd.pid, {0})
    await asyncio.sleep(CALM_SECONDS)
    before, start, at = await core_drops(stack), cost(relay), time.monotonic()
    await asyncio.sleep(seconds)
    spent, elapsed = cost(relay).since(start), time.monotonic() - at
    after = await core_drops(stack)
    return Sustained(spent, elapsed, {name: value - before[name] for name, value in after.items()}, pinned)


def join_rows(report: dict[str, Any], spent: dict[str, Cost], seconds: float) -> list[Row]:
    """Joins as the load tool saw them and as the kernel counted their cost."""
    joined = max(1, int(report["hearing"]))
    spread = report["hear"]
    context = (
        f"join to first packet p50 {spread['p50_ms'] or 0:.0f} ms, p99 {spread['p99_ms'] or 0:.0f} ms; "
        f"{report['hearing']} hearing, {report['event_streams']} event streams"
    )
    per_join = {name: value.other * 1000 / joined for name, value in spent.items()}
    relay = spent["media_relay"]
    packets = (
        f"; not in it: sound meanwhile {relay.packets - relay.door:.1f} s CPU, and the thread that reads the port, "
        f"{relay.door * 1000 / joined:.2f} ms a join, sound, checks and handshakes in one"
    )
    return [
        row("join_5000_s", report["all_hearing_seconds"], "s", context),
        row("join_failed", report["listeners"] - report["hearing"], "joins",
            "; ".join(report["failures"])[:200]),
        row("join_cpu_ms", sum(per_join.values()) + relay.door * 1000 / joined, "ms CPU",
            "the three below and the thread that reads the port"),
        row("relay_ms_per_join", per_join["media_relay"], "ms CPU", f"over {seconds:.0f} s{packets}"),
        row("directory_ms_per_join", per_join["room_directory"], "ms CPU"),
        row("gateway_ms_per_join", per_join["gateway"], "ms CPU", "RPC, WHEP and event stream"),
    ]  # fmt: skip


def sustained_rows(report: dict[str, Any], found: Sustained, packet_ms: int) -> list[Row]:
    """The relay's share of a core and what it dropped; at 20 ms the forward delay too."""
    suffix = f"{packet_ms}ms_{LISTENERS}"
    where = "relay on one core" if found.pinned else f"not pinned, {os.cpu_count()} cores"
    lost = f"{report['lost']} of {report['packets']['expected']} lost on the way to the tool"
    sound = f"{found.spent.packets / found.seconds:.2f} of it sound"
    drops = ", ".join(f"{name} {count:.0f}" for name, count in found.drops.items() if count)
    rows = [
        row(f"relay_cores_{suffix}", found.spent.total / found.seconds, "cores",
            f"{where}, {found.seconds:.0f} s, {report['packets_per_second']:.0f} packets/s, {sound}"),
        row(f"relay_drops_{suffix}", sum(found.drops.values()), "packets", "; ".join(filter(None, (drops, lost)))),
    ]  # fmt: skip
    if packet_ms == 20:
        delay = report["forward_delay"]
        context = f"p50 {delay['p50_ms'] or 0:.1f} ms; send spread included; arrival as the kernel stamps it"
        rows.append(row(f"forward_p99_ms_{suffix}", delay["p99_ms"], "ms", context))
    return rows


async def crowd_rows(folder: Path) -> list[Row]:
    """One crowd gives all rows: it joins unpinned, then a minute passes with the relay pinned, then memory is read."""
    async with open_house(folder, **NO_BUDGET) as house:
        stack = house.stack
        idle = {name: resident_kib(stack.pid(name)) for name in PARTS}
        before, began = costs(stack), time.monotonic()
        options = ("--rate", JOINS_A_SECOND, "--seconds", str(WINDOW_SECONDS + 2 * CALM_SECONDS + 4), "--events")
        async with arriving(house, *options) as crowd:
            await crowd.settled(JOIN_SECONDS)
            joined = {name: now.since(before[name]) for name, now in costs(stack).items()}
            seconds = time.monotonic() - began
            found = await sustained(stack, crowd, WINDOW_SECONDS)
            memory = {name: (resident_kib(stack.pid(name)) - idle[name]) / LISTENERS for name in PARTS}
            report = await crowd.report(REPORT_SECONDS)
    return [
        *join_rows(report, joined, seconds),
        row("relay_kib_per_listener", memory["media_relay"], "KiB", "own memory, a minute after the joins"),
        row("gateway_kib_per_listener", memory["gateway"], "KiB", "with an event stream each"),
        *sustained_rows(report, found, 20),
    ]


async def long_packet_rows(folder: Path) -> list[Row]:
    """The same sound in packets of 60 ms."""
    options = ("--rate", "110", "--seconds", str(LONG_PACKET_SECONDS + 2 * CALM_SECONDS + 4))
    async with (
        open_house(folder, **NO_BUDGET, MEDIA_RELAY_AUDIENCE_PACKET_MS="60") as house,
        arriving(house, *options) as crowd,
    ):
        await crowd.settled(JOIN_SECONDS)
        found = await sustained(house.stack, crowd, LONG_PACKET_SECONDS)
        report = await crowd.report(REPORT_SECONDS)
    return sustained_rows(report, found, 60)


@asynccontextmanager
async def arriving(house: House, *options: str) -> AsyncIterator[Crowd]:
    """The listeners, and somebody who speaks to them; whoever is left is sent away in the end."""
    crowd = Crowd(house.stack, house.folder)
    speaker = house.tokens_file("speakers", [house.speaker])
    options = ("--settle", "30", "--poll-ms", POLL_MS, "--speaker-tokens", str(speaker), *options)
    await crowd.arrive(house.room_id, LISTENERS, *options)
    try:
        await asyncio.sleep(0.5)
        # Five thousand phones have processors of their own: whoever plays them must not fall behind.
        prefer(crowd.pid, "crowd")
        yield crowd
    finally:
        await crowd.stop()
