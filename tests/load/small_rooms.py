"""Rows of many small rooms: what the relay costs and loses while ten, forty, a hundred rooms listen at once."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.core_rows import example
from tests.load.crowd import core_drops
from tests.load.hall import Players, Room, make_rooms, players
from tests.load.house import open_house
from tests.load.machine import pin, prefer, thread_seconds
from tests.load.rows import Row, row
from tests.support.stack import Stack

LISTENERS = 10
STAGES = (10, 40, 100)
WINDOW_SECONDS = 20
ASKED_ROOMS = 400
INSIDE_ROOMS = 20
"""Rooms that are there when four hundred come."""
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

    @property
    def cores(self) -> float:
        return sum(self.threads.values())

    def where(self) -> str:
        """The busiest threads."""
        busiest = sorted(self.threads.items(), key=lambda each: -each[1])[:SHOWN_THREADS]
        return ", ".join(f"{name.removeprefix('relay-')} {share:.2f}" for name, share in busiest)


async def watch(stack: Stack, tool: Players, plans: list[dict[str, object]], *, meanwhile: bool = False) -> Window:
    """Lets people in and watches the relay while they listen, relay and load tool on a core each."""
    relay = stack.pid("media_relay")
    drops = await core_drops(stack)
    await tool.fill(plans, WINDOW_SECONDS, meanwhile=meanwhile)
    pinned = pin(relay, {1}) and pin(tool.pid, {0})
    # A thousand phones have processors of their own: whoever plays them must not fall behind.
    for thread in ("crowd", "talkers"):
        prefer(tool.pid, thread)
    before, began = thread_seconds(relay), time.monotonic()
    if not meanwhile:
        drops = await core_drops(stack)
    told = await tool.measured(WINDOW_SECONDS)
    after, elapsed = thread_seconds(relay), time.monotonic() - began
    threads = {name: (spent - before.get(name, 0.0)) / elapsed for name, spent in after.items()}
    dropped = {cause: count - drops[cause] for cause, count in (await core_drops(stack)).items()}
    return Window(told, threads, dropped, pinned)


def lost_share(told: dict[str, Any]) -> float:
    """Of the frames that listeners were sent or owed, those that never came or came too late."""
    lost = told["missing_frames"] + told["late_frames"]
    return float(lost / max(1, told["received"] + told["missing_frames"]))


def heard(told: dict[str, Any]) -> str:
    """Who heard what, for people."""
    share = 1 - told["unheard_frames"] / told["owed_frames"] if told["owed_frames"] else None
    text = (
        f"{told['hearing'] - told['ended']} of {told['admitted']} hear"
        f"{'' if share is None else f' {100 * share:.1f} % of what was said'}, "
        f"{told['packets_per_second']:.0f} packets/s, delay p99 {told['forward_delay']['p99_ms'] or 0:.0f} ms"
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
    return row(name, window.cores, "cores", f"{where}; {window.where()}; {heard(window.told)}; {tool}")


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
    env = {"ROOM_DIRECTORY_LOST_SECONDS": SECOND_SPEAKERS_KEEP_SECONDS}
    windows: dict[str, Window] = {}
    async with open_house(folder, **env) as house:
        rooms = await make_rooms(house.stack, STAGES[-1], LISTENERS, seconds=True)
        async with players(house.stack.url) as tool:
            there = 0
            for count in STAGES:
                name = f"small_rooms_{count}x{LISTENERS}_cores"
                plans = [each.everybody() for each in rooms[there:count]]
                windows[name], there = await watch(house.stack, tool, plans), count
            name = f"small_rooms_{STAGES[-1]}x{LISTENERS}_two"
            windows[name] = await watch(house.stack, tool, [each.second_speaker() for each in rooms])
    return [*(cores_row(name, window) for name, window in windows.items()), *loss_rows(windows)]


def refused_rows(asked: int, inside: Window, came: Window) -> list[Row]:
    """How many of those who came in a crowd were let in, what the others were told, and what it did to those inside."""
    told = came.told
    reasons = [
        f"{reason} {each['count']}, {each['with_retry']} told to come back in "
        f"{each['soonest_seconds']}..{each['latest_seconds']} s"
        for reason, each in told["refused"].items()
    ]
    refused = sum(each["count"] for each in told["refused"].values())
    unreasoned = [words for reason, each in told["refused"].items() if reason.isdecimal() for words in [each["words"]]]
    listeners = f"{told['admitted']} of {asked} listeners in {told['rooms']} rooms let in, {told['speakers']} speakers"
    context = "; ".join([listeners, *reasons, *unreasoned, *told["failures"][:1]])
    before = f"before they came {lost_share(inside.told):.5f}"
    return [
        row("small_rooms_refused", refused, "joins", context),
        row("small_rooms_inside_lost", lost_share(told), "share",
            f"while they came and {WINDOW_SECONDS} s after; {before}; {heard(told)}; {came.where()}"),
    ]  # fmt: skip


async def refusal_rows(folder: Path) -> list[Row]:
    """Four hundred rooms ask a relay that keeps to its own budget."""
    async with open_house(folder) as house:
        rooms: list[Room] = await make_rooms(house.stack, ASKED_ROOMS, LISTENERS)
        async with players(house.stack.url, "--rate", "100") as tool:
            inside = await watch(house.stack, tool, [each.everybody() for each in rooms[:INSIDE_ROOMS]])
            plans = [each.everybody() for each in rooms[INSIDE_ROOMS:]]
            came = await watch(house.stack, tool, plans, meanwhile=True)
    return refused_rows(ASKED_ROOMS * LISTENERS, inside, came)


async def forwarding_rows(_: Path) -> list[Row]:
    """The packet core beside a bare loop that receives, opens, seals and sends; one process and run, sockets polled."""
    (measured,) = await example("majlis-io", "forwarding", STAGES[-1], LISTENERS)
    context = (
        f"{measured['relay_us']:.2f} us a delivered packet beside {measured['forwarding_us']:.2f}; "
        f"{measured['relay_cores']:.2f} and {measured['forwarding_cores']:.2f} cores, {measured['drops']} dropped"
    )
    return [row("small_rooms_over_forwarding", measured["ratio"], "ratio", context)]
