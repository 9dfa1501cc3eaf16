"""Rows of the whole system with 5,000 listeners: joins, sound for a minute, memory."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from tests.load.crowd import Crowd, metric, room, token_file, tokens
from tests.load.machine import Cost, cost, pin, resident_kib
from tests.load.rows import Row, row
from tests.support.stack import Stack

LISTENERS = 5000
WINDOW_SECONDS = 60
PARTS = ("media_relay", "room_directory", "gateway")
OPEN_LIMITS = {
    # All listeners come from one address here; these limits are per network.
    "GATEWAY_REQUESTS_PER_SECOND": "100000",
    "GATEWAY_REQUEST_BURST": "100000",
    "MEDIA_RELAY_HANDSHAKES_PER_SOURCE_PER_SECOND": "100000",
    "MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": "500000",
    "ROOM_DIRECTORY_LOG_LEVEL": "warning",
    "GATEWAY_LOG_LEVEL": "warning",
    "MEDIA_RELAY_LOG_LEVEL": "warning",
}


def costs(stack: Stack) -> dict[str, Cost]:
    return {name: cost(stack.pid(name)) for name in PARTS}


async def wait_for_listeners(stack: Stack, crowd: Crowd, count: int, seconds: float) -> float:
    """Seconds until that many sessions are connected, or until it is clear that they will not be."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        connected = await metric(stack, "media_relay", "majlis_media_relay_sessions")
        if connected >= count or (crowd.process is not None and crowd.process.returncode is not None):
            break
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def join_rows(report: dict[str, Any], spent: dict[str, Cost], seconds: float) -> list[Row]:
    joined = max(1, int(report["hearing"]))
    spread = report["hear"]
    context = f"p50 {spread['p50_ms']:.0f} ms, p99 {spread['p99_ms']:.0f} ms to the first packet; whole machine shared"
    per_join = {name: value.other * 1000 / joined for name, value in spent.items()}
    return [
        row("join_5000_s", report["all_hearing_seconds"], "s", context),
        row("join_failed", report["failed"], "joins", "; ".join(report["failures"])[:200]),
        row("relay_ms_per_join", per_join["media_relay"], "ms CPU", f"packet threads apart, over {seconds:.0f} s"),
        row("directory_ms_per_join", per_join["room_directory"], "ms CPU"),
        row("gateway_ms_per_join", per_join["gateway"], "ms CPU", "RPC, WHEP and event stream"),
    ]


def sustained_rows(report: dict[str, Any], spent: Cost, seconds: float, drops: float, packet_ms: int) -> list[Row]:
    suffix = f"{packet_ms}ms_5000"
    lost = f"{report['lost']} of {report['packets']['expected']} lost on the way" if report else ""
    pinned = "relay on one core" if (os.cpu_count() or 1) > 1 else "one core only: shared with the tool"
    rows = [row(f"relay_cores_{suffix}", spent.total / seconds, "cores", f"{pinned}, {seconds:.0f} s; {lost}")]
    if packet_ms == 20:
        delay = report["forward_delay"]
        spread = f"p50 {delay['p50_ms']:.1f} ms; send spread, mixing and jitter buffer included; kernel arrival times"
        rows.append(row(f"relay_drops_{suffix}", drops, "packets"))
        rows.append(row(f"forward_p99_ms_{suffix}", delay["p99_ms"], "ms", spread))
    return rows


async def crowd_rows(folder: Path) -> list[Row]:
    """One crowd gives all rows: it joins unpinned, then memory is read, then a minute passes with the relay pinned."""
    stack = Stack(folder / "state", env=OPEN_LIMITS)
    await stack.start()
    try:
        speaker = tokens(stack, 1)[0]
        room_id = await room(stack, speaker)
        await asyncio.sleep(2)
        idle = {name: resident_kib(stack.pid(name)) for name in PARTS}
        crowd = Crowd(stack, folder)
        speakers = token_file(folder / "speakers", [speaker])
        before, began = costs(stack), time.monotonic()
        window = WINDOW_SECONDS * 2 + 30
        options = ("--rate", "150", "--seconds", str(window), "--settle", "60", "--speaker-tokens", str(speakers))
        await crowd.arrive(room_id, LISTENERS, *options, "--events", "/events/{room}")
        await wait_for_listeners(stack, crowd, LISTENERS, 150)
        joined = {name: now.since(before[name]) for name, now in costs(stack).items()}
        seconds = time.monotonic() - began
        await asyncio.sleep(WINDOW_SECONDS)
        memory = {name: (resident_kib(stack.pid(name)) - idle[name]) / LISTENERS for name in PARTS}
        assert crowd.process is not None
        if pin(stack.pid("media_relay"), {1}):
            pin(crowd.process.pid, {0})
        drops_before = await metric(stack, "media_relay", "majlis_media_relay_core_packets_dropped_total")
        start, at = cost(stack.pid("media_relay")), time.monotonic()
        await asyncio.sleep(WINDOW_SECONDS)
        spent, elapsed = cost(stack.pid("media_relay")).since(start), time.monotonic() - at
        drops = await metric(stack, "media_relay", "majlis_media_relay_core_packets_dropped_total") - drops_before
        report = await crowd.report(240)
    finally:
        await stack.stop()
    (folder / "crowd.json").write_text(json.dumps(report, indent=1))
    return [
        *join_rows(report, joined, seconds),
        row("relay_kib_per_listener", memory["media_relay"], "KiB", "private memory, 60 s after the joins"),
        row("gateway_kib_per_listener", memory["gateway"], "KiB", "with an event stream each"),
        *sustained_rows(report, spent, elapsed, drops, 20),
    ]
