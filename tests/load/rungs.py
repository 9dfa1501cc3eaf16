"""`make soak ROWS=rungs`: people listen and speak by every rung while their networks are blocked at random, by seed."""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

import pytest
from majlis_client.listening import Listener
from majlis_client.over_https import HttpsListener

from tests.load.chart import Panel, Series
from tests.load.churn import MOST_FILES, MOST_MEMORY, grown
from tests.load.crowd import NO_BUDGET, OPEN_LIMITS, bring_up, room, tokens, value_in
from tests.load.followers import Counted, Followers, followers
from tests.load.rows import Row
from tests.load.verdict import bar, conclude, fact, run_to_end
from tests.load.walls import Place, strike_at_random
from tests.load.watch import Gauge, Watch
from tests.load.web_people import Reader, WebSpeaker
from tests.support import load_tool
from tests.support.members import friend_of, owner_of
from tests.support.networks import walled_network
from tests.support.rtc_client import Ear
from tests.support.stack import Stack
from tests.support.voices import loudness_at

PARTS = ("gateway", "room_directory", "media_relay")
RUNGS = ("udp", "tcp", "https", "text")
BY_UDP, BY_WEB = 440, 700
"""What the two speakers say, hertz."""
LOUD = 0.02
ENDINGS = ("webm", "mp4", "ogg", "webm?thrift=1")
PATIENCE = {"https": 4.0, "text": 45.0}
BACK_SECONDS = 70.0
"""Everybody hears, and is counted, so long after the last block at the latest."""
COMING_SECONDS = 90.0
NOISE = ("Traceback", "never retrieved", "[critical", "[error")
LISTED = 8


@dataclass(frozen=True)
class Soak:
    """How large a run is."""

    seconds: float = 600.0
    people: int = 300
    places: int = 3
    seed: int = 1

    @property
    def each(self) -> dict[str, int]:
        """How many at a place are on which rung."""
        share = self.people // (self.places * len(RUNGS))
        return dict.fromkeys(RUNGS, share)


SHORT = Soak(seconds=60.0, people=84)


@dataclass
class Hall:
    """The system, who speaks, and who listens."""

    stack: Stack
    places: list[Place]
    speaker: WebSpeaker
    calls: dict[str, list[Followers]] = field(default_factory=lambda: {"udp": [], "tcp": []})
    readers: dict[str, list[Reader]] = field(default_factory=lambda: {"https": [], "text": []})
    ears: dict[str, Ear] = field(default_factory=dict)
    """Who decodes, outside the walls, by rung."""

    @property
    def crowds(self) -> list[Followers]:
        return [crowd for crowds in self.calls.values() for crowd in crowds]

    async def counted(self) -> dict[str, list[Counted]]:
        """Those with calls, by rung."""
        return {
            rung: [each for crowd in crowds for each in await crowd.counted()] for rung, crowds in self.calls.items()
        }

    async def silent(self) -> Counter[str]:
        """How many hear nothing now, by rung; and voices that nobody hears."""
        found = {rung: sum(not each.hears for each in people) for rung, people in (await self.counted()).items()}
        now = time.monotonic()
        found |= {rung: sum(not each.is_there(now) for each in people) for rung, people in self.readers.items()}
        for rung, ear in self.ears.items():
            heard = ear.lately(1.0)
            for hertz in (BY_UDP, BY_WEB):
                loud = len(heard) > 4800 and float(loudness_at(heard, hertz, 0.1).mean()) > LOUD
                found[f"voice of {hertz} Hz by {rung}"] = int(not loud)
        return +Counter(found)

    def expected(self, soak: Soak) -> dict[str, int]:
        """How many the directory should count on each rung."""
        return {rung: many * soak.places + (rung in self.ears) for rung, many in soak.each.items()}

    async def by_rung(self) -> dict[str, int]:
        """How many it counts."""
        page = await asyncio.to_thread(self.stack.metrics, "room_directory")
        return {rung: int(value_in(page, "majlis_room_directory_rung_listeners", f'rung="{rung}"')) for rung in RUNGS}

    async def until_all_hear(self, seconds: float) -> tuple[float, Counter[str]]:
        """How long it takes, and who does not by then."""
        began = time.monotonic()
        while (silent := await self.silent()) and time.monotonic() - began < seconds:  # noqa: ASYNC110 (asked by RPC)
            await asyncio.sleep(0.5)
        return time.monotonic() - began, silent

    async def until_counted(self, soak: Soak, seconds: float) -> tuple[float, dict[str, int]]:
        """How long it takes until the directory counts who is there, and what it counts."""
        began = time.monotonic()
        expected = self.expected(soak)
        while (found := await self.by_rung()) != expected and time.monotonic() - began < seconds:  # noqa: ASYNC110 (a page)
            await asyncio.sleep(0.5)
        return time.monotonic() - began, found


@asynccontextmanager
async def hall_of(soak: Soak, folder: Path) -> AsyncIterator[Hall]:
    """Starts all of it, and lets everybody in; they may still be coming."""
    async with AsyncExitStack() as after:
        networks = [after.enter_context(walled_network()) for _ in range(soak.places)]
        machine = networks[0].machine
        limits = {
            **OPEN_LIMITS, **NO_BUDGET, "GATEWAY_MAX_LISTENERS_PER_NETWORK": "1000", "GATEWAY_MAX_LISTENERS": "1000",
            "ROOM_DIRECTORY_LISTENER_LIMIT": "1000",
        }  # fmt: skip
        stack = Stack(folder / "state", ["--listen", f"127.0.0.1,{machine}"], media_address=machine, env=limits)
        await stack.start()
        after.push_async_callback(stack.stop)
        await asyncio.sleep(2)
        url = f"http://{machine}:{stack.port}"
        leader, guest = tokens(stack, 2)
        room_id = await room(stack, leader)
        await bring_up(stack, room_id, leader, guest)
        whip = ("speak", "--whip", f"{url}/whip/{room_id}", "--tone", str(BY_UDP), "--seconds", "3600", "--quiet")
        speaker = await load_tool.start(*whip, token=guest)
        after.push_async_callback(load_tool.stop, speaker)
        places = [Place(network, url, stack.port) for network in networks]
        hall = Hall(stack, places, WebSpeaker(places[0], room_id, leader, BY_WEB))
        crew = await after.enter_async_context(asyncio.TaskGroup())
        tasks = [crew.create_task(hall.speaker.live())]
        for place in places:
            for people in (await _seat(hall, soak, place, room_id, after)).values():
                tasks += [crew.create_task(each.live()) for each in people]
        owner = await owner_of(stack)
        after.push_async_callback(owner.leave_for_good)
        for rung, kind in (("udp", Listener), ("https", HttpsListener)):
            friend = await friend_of(stack, owner, f"{rung}ear")
            after.push_async_callback(friend.leave_for_good)
            ear = hall.ears[rung] = Ear()
            tasks.append(crew.create_task(_listen(kind(friend.client, room_id, ear.take))))
        try:
            yield hall
        finally:
            for place in places:
                place.lift()
            for task in tasks:
                task.cancel()


async def _listen(listener: Listener | HttpsListener) -> None:
    await listener.run()


async def _seat(hall: Hall, soak: Soak, place: Place, room_id: str, after: AsyncExitStack) -> dict[str, list[Reader]]:
    """Lets those with calls into a place; returns the others of it, who have yet to come."""
    for rung, options in (("udp", ()), ("tcp", ("--tcp",))):
        crowd = await after.enter_async_context(followers(place.url, *options, within=place.network))
        place.pids.append(crowd.pid)
        hall.calls[rung].append(crowd)
        await crowd.let_in([{"room": room_id, "listeners": tokens(hall.stack, soak.each[rung])}])
    endings = islice(cycle(ENDINGS), soak.each["https"])
    found = {
        "https": [
            Reader(place, f"/listen/{room_id}.{ending}", token, PATIENCE["https"])
            for token, ending in zip(tokens(hall.stack, soak.each["https"]), endings, strict=True)
        ],
        "text": [
            Reader(place, f"/events/{room_id}", token, PATIENCE["text"], room_id)
            for token in tokens(hall.stack, soak.each["text"])
        ],
    }
    for rung, people in found.items():
        hall.readers[rung] += people
    return found


async def run(soak: Soak, folder: Path) -> tuple[list[Row], list[Panel]]:
    """The whole run."""
    gauges = {rung: Gauge("room_directory", "majlis_room_directory_rung_listeners", f'rung="{rung}"') for rung in RUNGS}
    async with hall_of(soak, folder) as hall:
        came, missing = await hall.until_all_hear(COMING_SECONDS)
        say(f"all are in after {came:.0f} s" if not missing else f"not heard at first: {dict(missing)}")
        await hall.until_counted(soak, BACK_SECONDS)
        for people in hall.readers.values():
            for each in people:
                each.gap, each.refused = 0.0, Counter()
        async with Watch(hall.stack, PARTS, gauges, every=max(1.0, soak.seconds / 400)) as watch:
            for crowd in hall.crowds:
                await crowd.begin()
            lifted = await strike_at_random(hall.places, soak.seed, soak.seconds, say)
            last = max(lifted, default=time.monotonic())
            _, silent = await hall.until_all_hear(last + BACK_SECONDS - time.monotonic())
            back = time.monotonic() - last
            _, counts = await hall.until_counted(soak, last + BACK_SECONDS - time.monotonic())
            told = Told(len(lifted), came, missing, back, silent, time.monotonic() - last, counts)
            calls = await hall.counted()
            watch.look()
        rows = _rows(soak, hall, watch, told) + _gaps(hall, calls)
    return rows, panels(watch)


@dataclass(frozen=True)
class Told:
    """What a run found."""

    blows: int
    came: float
    missing: Counter[str]
    """Who did not hear at first."""
    back: float
    silent: Counter[str]
    """Who did not hear in the end."""
    counting: float
    counts: dict[str, int]


def _rows(soak: Soak, hall: Hall, watch: Watch, told: Told) -> list[Row]:
    noise = [line for line in hall.stack.output.splitlines() if any(word in line for word in NOISE)]
    refused = sum((each.refused for people in hall.readers.values() for each in people), Counter[str]())
    expected = hall.expected(soak)
    wrong = {rung: f"{found} of {expected[rung]}" for rung, found in told.counts.items() if found != expected[rung]}
    return [
        fact("people who listen", soak.people, "", f"at {soak.places} places, {soak.each} at each; seed {soak.seed}"),
        bar("people who heard nothing at first", told.missing.total(), 0, "",
            f"{_listed(told.missing)} after {told.came:.0f} s"),
        fact("blocks", told.blows, "", f"in {soak.seconds:.0f} s"),
        bar("people stuck at the end", told.silent.total(), 0, "", _listed(told.silent)),
        bar("all hear again after", told.back, BACK_SECONDS, "s", "the last block, the calm after it included"),
        bar("rungs counted wrong at the end", len(wrong), 0, "",
            f"{_listed(wrong)} after {told.counting:.0f} s"),
        *(bar(f"{part} memory grew", grown(watch.of(f"{part} memory")), MOST_MEMORY[part], "MiB",
              f"from {watch.first(f'{part} memory'):.0f} to {watch.last(f'{part} memory'):.0f} in all")
          for part in PARTS),
        *(bar(f"{part} files at the end", watch.last(f"{part} files") - watch.first(f"{part} files"), MOST_FILES, "",
              f"more than before, {watch.most(f'{part} files'):.0f} at most")
          for part in PARTS),
        bar("errors in the logs", len(noise), 0, "", " | ".join(noise[:3])[:300]),
        fact("sessions of the speaker over the web", hall.speaker.opens, "", _listed(hall.speaker.ends)),
        fact("refusals of readers", refused.total(), "", _listed(refused)),
    ]  # fmt: skip


def _gaps(hall: Hall, calls: dict[str, list[Counted]]) -> list[Row]:
    """How long blocks kept people from hearing: they do block."""
    return [
        *(fact(f"longest gap of a call, {rung}", max(each.gap for each in people), "s",
               f"{sum(each.sessions for each in people)} sessions for {len(people)}")
          for rung, people in calls.items()),
        *(fact(f"longest wait of a reader, {rung}", max(each.gap for each in people), "s",
               f"{sum(each.opens for each in people)} answers for {len(people)}")
          for rung, people in hall.readers.items()),
    ]  # fmt: skip


def _listed(found: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {many}" for name, many in islice(found.items(), LISTED))


def panels(watch: Watch) -> list[Panel]:
    """The same over time."""
    return [
        Panel("Listeners by rung", "people", [Series(rung, watch.of(rung)) for rung in RUNGS]),
        Panel("Memory", "MiB", [Series(part, watch.of(f"{part} memory")) for part in PARTS]),
        Panel("Files", "open", [Series(part, watch.of(f"{part} files")) for part in PARTS]),
        Panel("Processor", "cores", [Series(part, watch.of(f"{part} cores")) for part in PARTS]),
    ]


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Command line; 1 when a bar is broken, 2 where no networks can be made."""
    parser = argparse.ArgumentParser(prog="tests.load.rungs", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute of it, with fewer people")
    parser.add_argument("--minutes", type=float, default=0.0, help="of blocks")
    parser.add_argument("--people", type=int, default=0, help="who listen, all together")
    parser.add_argument("--seed", type=int, default=1, help="of the blocks")
    options = parser.parse_args()
    soak = replace(SHORT if options.short else Soak(), seed=options.seed)
    if options.minutes:
        soak = replace(soak, seconds=options.minutes * 60)
    if options.people:
        soak = replace(soak, people=options.people)
    with tempfile.TemporaryDirectory(prefix="majlis-rungs-") as folder, contextlib.suppress(KeyboardInterrupt):
        try:
            found, drawn = run_to_end(run(soak, Path(folder)))
        except pytest.skip.Exception as why:
            say(str(why))
            return 2
        title = f"make soak ROWS=rungs: {soak.people} people, {soak.seconds:.0f} s of blocks, seed {soak.seed}"
        return conclude("rungs", title, found, drawn)
    return 1


if __name__ == "__main__":
    sys.exit(main())
