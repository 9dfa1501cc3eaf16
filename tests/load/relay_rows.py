"""Relays that go while hundreds listen: what is seen when one is killed, and when one is emptied in peace."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.load.blows import AUDIENCE, HOME, Blow, Seen, broken, table
from tests.load.chaos import strike_once
from tests.load.crowd import NO_BUDGET
from tests.load.ring import Crew, Ring, ring_of

EMPTY_SECONDS = 120.0
DRAIN_SECONDS = 60.0
ENOUGH_FOR = 0.6
"""Share of all listeners for whom each of the others has room."""
PACKETS_EACH = 50
CHANNEL_PACKETS = 500
"""What a listener is counted as, and a programme that comes from elsewhere, about."""
SMALL_BUDGET = "3000"
"""A budget for a stage, whatever a mixer costs beside a packet there, and some who listen: others go elsewhere."""


async def audience_killed(folder: Path, crew: Crew) -> tuple[Seen, list[str]]:
    """Nearly all listen through a relay that has no stage; it is killed, and two others are there."""
    async with ring_of(folder, MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET=SMALL_BUDGET) as ring:
        # Neither of the two others has room for all of them.
        budget = int(crew.listeners * ENOUGH_FOR * PACKETS_EACH) + CHANNEL_PACKETS
        await _beside(ring, crew, MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET=str(budget))
        seen, told = await strike_once(ring, Blow("kill", AUDIENCE))
        lost = [
            after for before, after in told if before.relay == ring.spares[0].address or before.relay != after.relay
        ]
        full = [await asyncio.to_thread(spare.promised) / budget for spare in ring.spares[1:]]
        shares = ", ".join(str(count) for count in Counter(each.relay for each in lost).values())
        promised = ", ".join(f"{each:.0%}" for each in full)
        spread = f"{len(lost)} went to relays by {shares}, of whose budgets {promised} are promised"
        return seen, [spread] + (["one has promised more than it has"] if max(full) > 1.0 else [])


async def home_killed(folder: Path, crew: Crew) -> tuple[Seen, list[str]]:
    """The relay of the stage is killed; nearly all listen through others and keep their sessions."""
    async with ring_of(folder, MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET=SMALL_BUDGET) as ring:
        await _beside(ring, crew)
        home = ring.address(HOME)
        seen, told = await strike_once(ring, Blow("kill", HOME))
        elsewhere = [(before, after) for before, after in told if before.relay != home]
        moved = sum(before.sessions != after.sessions or before.relay != after.relay for before, after in elsewhere)
        kept = f"{len(elsewhere) - moved} of {len(elsewhere)} on other relays kept their sessions"
        return seen, [kept] + ([f"{moved} lost theirs"] if moved else [])


async def drained(folder: Path, crew: Crew) -> tuple[Seen, list[str]]:
    """The only relay, which has the stage and all listeners, is told to stop once there is another one."""
    async with ring_of(folder, MEDIA_RELAY_DRAIN_SECONDS=str(DRAIN_SECONDS)) as ring:
        await ring.fill(crew)
        await ring.add_relay("relay00001", **NO_BUDGET)
        began, pid = time.monotonic(), ring.pid(HOME)
        emptied = asyncio.ensure_future(_until_gone(pid))
        seen, _ = await strike_once(ring, Blow("restart", HOME))
        async with asyncio.timeout(EMPTY_SECONDS):
            await emptied
        seconds = emptied.result() - began
        return seen, [f"empty and gone after {seconds:.0f} s"]


ROWS: dict[str, Callable[[Path, Crew], Coroutine[Any, Any, tuple[Seen, list[str]]]]] = {
    "audience_killed": audience_killed,
    "home_killed": home_killed,
    "drained": drained,
}


def told(name: str, seen: Seen, notes: list[str]) -> str:
    """A row as people read it."""
    head, line = table([seen]).splitlines()
    return f"{name}: {'; '.join(notes)}\n{head}\n{line}"


def held(seen: Seen, notes: list[str]) -> bool:
    """Whether no bar was broken; the first note only informs."""
    return not broken(seen) and not notes[1:]


async def _beside(ring: Ring, crew: Crew, **others: str) -> None:
    """Everybody listens, most of them through one relay; then two more are there."""
    await ring.add_relay("relay00001", **NO_BUDGET)
    await ring.fill(crew)
    await ring.add_relay("relay00002", **(others or NO_BUDGET))
    await ring.add_relay("relay00003", **(others or NO_BUDGET))


async def _until_gone(pid: int) -> float:
    """When a process had ended."""
    while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110, ASYNC240, PTH110 (nobody tells)
        await asyncio.sleep(0.1)
    return time.monotonic()


def main() -> int:
    """Command line; 1 when a bar was broken."""
    parser = argparse.ArgumentParser(prog="tests.load.relay_rows", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="names with commas between")
    parser.add_argument("--listeners", type=int, default=500)
    options = parser.parse_args()
    crew, well = Crew(options.listeners, rooms=1), True
    for name in options.rows.split(","):
        with tempfile.TemporaryDirectory(prefix="majlis-relays-") as folder:
            seen, notes = asyncio.run(ROWS[name](Path(folder), crew))
        well = well and held(seen, notes)
        sys.stdout.write(told(name, seen, notes) + "\n\n")
        sys.stdout.flush()
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
