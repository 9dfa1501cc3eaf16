"""Rows of many small rooms: what the relay costs and loses while ten, forty, a hundred rooms listen at once."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.core_rows import example
from tests.load.crowd import NO_BUDGET, core_drops, value_in
from tests.load.hall import Players, make_rooms, players
from tests.load.house import open_house
from tests.load.machine import pin, prefer, thread_seconds
from tests.load.rows import Row, row
from tests.support.stack import Stack

LISTENERS = 10
STAGES = (10, 40, 100)
WARM_SECONDS = 8
"""A relay has found by then whose packets it may pass through: that takes some speech and a pause of each speaker."""
WINDOW_SECONDS = 20
AT_THE_DOOR = ("failed", "failures", "refused")
"""What the tool says of those who came, once."""
SECOND_SPEAKERS_KEEP_SECONDS = "600"
"""Who was brought up keeps the place until the tool comes with a microphone."""
SHOWN_THREADS = 5


@dataclass(frozen=True)
class Window:
    """A stage as the load tool and the kernel saw it."""

    told: dict[str, Any]
    threads: dict[str, float]
    """Share of a core that each of the relay's threads took, by name."""
    drops: dict[str, float]
    pinned: bool
    made: dict[str, float]
    """Frames of programmes, and those of them that were passed through; seams to mixing."""

    @property
    def cores(self) -> float:
        return sum(self.threads.values())

    def where(self) -> str:
        """The busiest threads."""
        busiest = sorted(self.threads.items(), key=lambda each: -each[1])[:SHOWN_THREADS]
        return ", ".join(f"{name.removeprefix('relay-')} {share:.2f}" for name, share in busiest)


def place(stack: Stack, tool: Players) -> bool:
    """Relay and load tool on a core each; False where there are not enough."""
    # A thousand phones have processors of their own: whoever plays them must not fall behind.
    for thread in ("crowd", "talkers"):
        prefer(tool.pid, thread)
    return pin(stack.pid("media_relay"), {1}) and pin(tool.pid, {0})


async def watch(stack: Stack, tool: Players, plans: list[dict[str, object]]) -> Window:
    """Lets people in and watches the relay while they listen."""
    relay = stack.pid("media_relay")
    came = await tool.fill(plans, WARM_SECONDS)
    pinned = place(stack, tool)
    await tool.measured(WARM_SECONDS)
    await tool.fill([], WINDOW_SECONDS)
    before, began, drops = thread_seconds(relay), time.monotonic(), await core_drops(stack)
    made = await asyncio.to_thread(frames, stack)
    told = {**await tool.measured(WINDOW_SECONDS), **{name: came[name] for name in AT_THE_DOOR}}
    after, elapsed = thread_seconds(relay), time.monotonic() - began
    threads = {name: (spent - before.get(name, 0.0)) / elapsed for name, spent in after.items()}
    dropped = {cause: count - drops[cause] for cause, count in (await core_drops(stack)).items()}
    made = {name: count - made[name] for name, count in (await asyncio.to_thread(frames, stack)).items()}
    return Window(told, threads, dropped, pinned, made)


def frames(stack: Stack) -> dict[str, float]:
    """How programmes have been made since the relay started."""
    text = stack.metrics("media_relay")
    names = ("programme_frames", "frames_passed", "seams_to_mixing")
    return {name: value_in(text, f"majlis_media_relay_core_{name}_total") for name in names}


def heard(told: dict[str, Any]) -> str:
    """Who heard what, for people."""
    share = 1 - told["unheard_frames"] / told["owed_frames"] if told["owed_frames"] else None
    text = (
        f"{told['hearing'] - told['ended']} of {told['admitted']} hear"
        f"{'' if share is None else f' {100 * share:.1f} % of what was said'}, "
        f"{told['speakers']} speakers, {told['packets_per_second']:.0f} packets/s, "
        f"delay p99 {told['forward_delay']['p99_ms'] or 0:.0f} ms"
    )
    troubles = {
        "refused": sum(each["count"] for each in told["refused"].values()),
        "failed": told["failed"],
        "deaf": told["deaf"],
        "interrupted": told["interruptions"],
        "not said by a tool that stood": told["skipped_packets"],
    }
    return "; ".join([text, *(f"{count} {what}" for what, count in troubles.items() if count)])


def cores_row(name: str, window: Window) -> Row:
    where = "relay on one core" if window.pinned else f"not pinned, {os.cpu_count()} cores"
    tool = f"tool {window.told['tool_cores']:.2f}"
    passed = window.made["frames_passed"] / max(1, window.made["programme_frames"])
    made = f"{100 * passed:.0f} % of frames passed through, {window.made['seams_to_mixing']:.0f} seams to mixing"
    return row(name, window.cores, "cores", f"{where}; {window.where()}; {heard(window.told)}; {made}; {tool}")


def loss_rows(windows: dict[str, Window]) -> list[Row]:
    """What was lost on the way, and what those who decode had to make up, over all stages."""
    dropped, parts = 0.0, []
    frames, concealed, by_header = 0, 0, 0
    for name, window in windows.items():
        lost = sum(window.drops.values()) + window.told["lost"]
        dropped += lost
        frames += window.told["ear_frames"]
        concealed += window.told["ear_concealed"]
        by_header += window.told["missing_frames"] + window.told["late_frames"]
        causes = ", ".join(f"{cause} {count:.0f}" for cause, count in window.drops.items() if count)
        parts += [f"{name}: {lost:.0f} ({causes or 'on the way to the tool'})"] if lost else []
    silent = [name for name, window in windows.items() if not window.told["ear_frames"]]
    ears = max(window.told["ears"] for window in windows.values())
    context = f"of {frames} at {ears} who decode; {by_header} missing or late by header over all listeners"
    if silent:
        context = f"nobody heard anything in {', '.join(silent)}"
    return [
        row("small_rooms_drops", dropped, "packets", "; ".join(parts) or "all stages"),
        row("small_rooms_concealed", None if silent else concealed, "frames", context),
    ]


async def small_rooms_rows(folder: Path) -> list[Row]:
    """One crowd grows from ten rooms to a hundred; then a second person in each begins to speak too."""
    env = {**NO_BUDGET, "ROOM_DIRECTORY_LOST_SECONDS": SECOND_SPEAKERS_KEEP_SECONDS}
    windows: dict[str, Window] = {}
    async with open_house(folder, **env) as house:
        rooms = await make_rooms(house.stack, STAGES[-1], LISTENERS, seconds=True)
        async with players(house.stack.url, "--tries", "8") as tool:
            there = 0
            for count in STAGES:
                name = f"small_rooms_{count}x{LISTENERS}_cores"
                plans = [each.everybody() for each in rooms[there:count]]
                windows[name], there = await watch(house.stack, tool, plans), count
            name = f"small_rooms_{STAGES[-1]}x{LISTENERS}_two"
            windows[name] = await watch(house.stack, tool, [each.second_speaker() for each in rooms])
    return [*(cores_row(name, window) for name, window in windows.items()), *loss_rows(windows)]


async def forwarding_rows(_: Path) -> list[Row]:
    """The packet core beside a bare loop that receives, opens, seals and sends; one process and run, sockets polled."""
    (measured,) = await example("majlis-io", "forwarding", STAGES[-1], LISTENERS)
    relay = f"{measured['relay_us']:.2f} us a delivered packet, {measured['relay_cores']:.3f} cores"
    return [
        _over("small_rooms_over_forwarding", measured["ratio"], relay, measured["forwarding_us"], measured["drops"]),
        _over("small_rooms_over_gathering", measured["gathering_ratio"], relay, measured["gathering_us"], 0),
    ]


def _over(name: str, ratio: float, relay: str, beside_us: float, drops: int) -> Row:
    return row(name, ratio, "ratio", f"{relay} beside {beside_us:.2f} us" + (f", {drops} dropped" if drops else ""))
