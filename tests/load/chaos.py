"""Parts of a whole running system are killed, frozen and restarted by seed while listeners verify that they hear."""

import argparse
import asyncio
import contextlib
import math
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from majlis_client import MajlisError

from tests.load.blows import FRAME_SECONDS, Blow, Seen, blows, broken, table
from tests.load.chart import Panel, Series, draw
from tests.load.ring import Crew, Heard, Ring, ring_of
from tests.load.spare_relay import SPARE_ID
from tests.support.stack import ROOT

CALM_SECONDS = 1.0
"""Before each blow."""
WATCH_SECONDS = 5.0
"""How long each blow is watched at least."""
LONGEST_SECONDS = 15.0
"""And at most, when somebody does not hear again."""
DRAINED_SECONDS = 130.0
"""A relay that is told to go is empty, has ended and was started again by then."""
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "restart": signal.SIGTERM}
PICTURE = ROOT / "var" / "bench" / "chaos.png"


async def strike(ring: Ring, blow: Blow) -> Seen:
    """Does it, watches until everybody hears, or had their time, and lets everything be started again."""
    seen, _ = await strike_once(ring, blow)
    await _mended(ring)
    return seen


async def strike_once(ring: Ring, blow: Blow) -> tuple[Seen, list[tuple[Heard, Heard]]]:
    """Does it and watches; also what each listener had before and after."""
    await ring.rename()
    struck, homes, before = ring.address(blow.part), await ring.homes(), await ring.heard()
    pid = ring.pid(blow.part)
    await ring.begin()
    began = time.monotonic()
    os.kill(pid, SIGNALS[blow.way])
    if blow.frozen:
        await asyncio.sleep(blow.frozen)
        os.kill(pid, signal.SIGCONT)
    acked, back = await _until_commanded(ring)
    await asyncio.sleep(max(0.0, began + blow.frozen + WATCH_SECONDS - time.monotonic()))
    with contextlib.suppress(TimeoutError):
        await ring.until_all_hear(LONGEST_SECONDS - WATCH_SECONDS)
    heard, seconds = await ring.heard(), time.monotonic() - began

    def is_struck(each: Heard) -> bool:
        return not struck or struck in (each.relay, homes[each.room])

    seen = Seen(
        blow,
        [now.gap for now, then in zip(heard, before, strict=True) if is_struck(then)],
        sum(max(0, round(seconds / FRAME_SECONDS) - now.received - 2) for now in heard),
        sum(now.hears for now in heard),
        back,
        await _forgotten(ring, acked),
        ring.stall.longest,
        [now.gap for now, then in zip(heard, before, strict=True) if not is_struck(then)],
    )
    return seen, list(zip(before, heard, strict=True))


async def _until_commanded(ring: Ring) -> tuple[str, float]:
    """The title that was acknowledged, and after how many seconds."""
    began = time.monotonic()
    while (now := time.monotonic()) - began < LONGEST_SECONDS:
        try:
            return await ring.rename(), time.monotonic() - began
        except (MajlisError, TimeoutError):
            await asyncio.sleep(max(0.0, 0.1 - (time.monotonic() - now)))
    return "", math.inf


async def _forgotten(ring: Ring, acked: str) -> str:
    try:
        title = await ring.title()
    except TimeoutError:
        return "the room does not answer"
    return f"title {acked}, it is {title}" if acked and title != acked else ""


async def _mended(ring: Ring) -> None:
    """Everything runs again before the next blow."""
    for name in ("auth", "invite", "room_directory", "gateway", "media_relay"):
        await ring.stack.until_ready(name, DRAINED_SECONDS)
    for spare in ring.spares:
        await spare.start()
    with contextlib.suppress(TimeoutError):
        await ring.until_all_hear(LONGEST_SECONDS)
    await asyncio.sleep(CALM_SECONDS)


async def run(seed: int, seconds: float, folder: Path, crew: Crew) -> list[Seen]:
    """The blows of one seed for so many seconds, all of them at most."""
    began, all_seen = time.monotonic(), list[Seen]()
    async with ring_of(folder) as ring:
        await ring.add_relay(SPARE_ID)
        await ring.fill(crew)
        for blow in blows(seed):
            if time.monotonic() - began > seconds - WATCH_SECONDS:
                break
            seen = await strike(ring, blow)
            all_seen.append(seen)
            say(table([seen]).splitlines()[1])
    return all_seen


def picture(path: Path, of_seeds: dict[int, list[Seen]]) -> None:
    """Every blow of every seed, in order."""
    numbered = list(enumerate((seen for all_seen in of_seeds.values() for seen in all_seen), 1))
    starts, at = list[tuple[float, str]](), 1
    for seed, all_seen in of_seeds.items():
        starts.append((at, f"seed {seed}"))
        at += len(all_seen)
    calm = [(number, seen.share_of(seen.untouched, 0.99)) for number, seen in numbered if seen.untouched]
    gaps = {
        share: [(number, max(0.0, seen.gap(share) - seen.blow.frozen)) for number, seen in numbered if seen.to_relay]
        for share in (0.5, 0.95, 0.99)
    }
    back = [(number, min(seen.back, LONGEST_SECONDS)) for number, seen in numbered]
    panels = [
        Panel("Longest gap, sound that must not stop (p99)", "s", [Series("listeners", calm, dots=True)], 0.2, starts),
        Panel(
            "Longest gap, after a relay was struck",
            "s",
            [Series(f"p{share * 100:.0f}", points, dots=True) for share, points in gaps.items()],
            4.0,
        ),
        Panel("Commands are carried out again after", "s", [Series("a rename", back, dots=True)], 5.0),
    ]
    draw(path, "Blows to a running system, by seed", panels, x_unit="blow")


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def seeds(options: argparse.Namespace, crew: Crew) -> bool:
    """Whether no bar was broken under any seed."""
    of_seeds = dict[int, list[Seen]]()
    for seed in (int(each) for each in options.seeds.replace(",", " ").split()):
        with tempfile.TemporaryDirectory(prefix="majlis-chaos-") as folder:
            of_seeds[seed] = asyncio.run(run(seed, options.seconds, Path(folder), crew))
    tables = [f"seed {seed}\n{table(all_seen)}" for seed, all_seen in of_seeds.items()]
    sys.stdout.write("\n\n".join(tables) + "\n")
    picture(options.picture, of_seeds)
    return all(all_seen and not any(map(broken, all_seen)) for all_seen in of_seeds.values())


def main() -> int:
    """Command line; 1 when a bar was broken."""
    parser = argparse.ArgumentParser(prog="tests.load.chaos", description=__doc__)
    parser.add_argument("--seeds", default="1", help="numbers with spaces or commas between")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each seed, its start included")
    parser.add_argument("--listeners", type=int, default=Crew.listeners, help="all together")
    parser.add_argument("--rooms", type=int, default=Crew.rooms, help="with sound in each")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    return 0 if seeds(options, Crew(options.listeners, options.rooms)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
