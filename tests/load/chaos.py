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
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from av import AudioFrame
from majlis.room_directory.v1 import room_service_pb2
from majlis_client import MajlisError, speak
from majlis_client.listening import Listener

from tests.load.blows import FRAME_SECONDS, HOME, SPARE, Blow, Seen, blows, broken, table
from tests.load.crowd import NO_BUDGET, OPEN_LIMITS
from tests.load.spare_relay import SPARE_ID, SpareRelay
from tests.support import voices
from tests.support.members import Member, friend_of, owner_of
from tests.support.stack import Stack

LISTENERS = 8
CALM_SECONDS = 1.0
"""Before each blow, and at its end: who heard within it hears."""
WATCH_SECONDS = 5.0
"""How long each blow is watched at least."""
LONGEST_SECONDS = 15.0
"""And at most, when somebody does not hear again."""
DRAINED_SECONDS = 130.0
"""A relay that is told to go is empty, has ended and was started again by then."""
CALL_SECONDS = 2.0
LOUD = 500
"""The tone in 16-bit samples; what a decoder makes up for lost packets fades below it."""
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "restart": signal.SIGTERM}


@dataclass(eq=False)
class Ear:
    """A listener and the moments at which frames with the voice in them came."""

    member: Member
    heard: deque[float] = field(default_factory=lambda: deque(maxlen=5000))
    title: str = ""
    """Of the room, as the listener was last told."""
    listener: Listener | None = None
    listening: "asyncio.Task[str] | None" = None

    def start(self, room_id: str) -> None:
        self.listener = Listener(self.member.client, room_id, self._on_frame)
        self.listening = asyncio.ensure_future(self.listener.run())

    def _on_frame(self, frame: AudioFrame) -> None:
        if np.abs(frame.to_ndarray()).max() > LOUD:
            self.heard.append(time.monotonic())

    @property
    def relay(self) -> str:
        """The relay that serves it."""
        return self.listener.relay if self.listener is not None else ""

    def hears(self) -> bool:
        return bool(self.heard) and self.heard[-1] > time.monotonic() - CALM_SECONDS / 2

    def gap(self, since: float, until: float) -> float:
        """The longest wait for a frame between two moments."""
        before = max((at for at in self.heard if at <= since), default=since)
        times = [before, *(at for at in self.heard if since < at <= until), until]
        return max(later - earlier for earlier, later in pairwise(times))

    def missed(self, since: float, until: float) -> int:
        """Frames that did not come."""
        came = sum(since < at <= until for at in self.heard)
        return max(0, round((until - since) / FRAME_SECONDS) - came - 2)

    async def stop(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.gather(self.listening, return_exceptions=True)
        await self.member.leave_for_good()


class Stall:
    """How long this tool itself stood still, which is no gap of the system's."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def measure(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(FRAME_SECONDS)
            self.longest = max(self.longest, time.monotonic() - began - FRAME_SECONDS)


@dataclass
class Ring:
    """The system, the room in it, and those who listen."""

    stack: Stack
    spare: SpareRelay
    owner: Member
    room_id: str
    ears: list[Ear]
    stall: Stall = field(default_factory=Stall)
    _titles: int = 0

    async def until_all_hear(self, seconds: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not all(ear.hears() for ear in self.ears):  # noqa: ASYNC110 (frames come by callback, and stop)
                await asyncio.sleep(0.05)

    async def rename(self) -> str:
        """Gives the room a new title; returns it once that was acknowledged. Raises MajlisError, TimeoutError."""
        self._titles += 1
        title = f"Round {self._titles}"
        request = room_service_pb2.UpdateRoomRequest(room_id=self.room_id, title=title)
        async with asyncio.timeout(CALL_SECONDS):
            await self.owner.client.rooms.UpdateRoom(request)
        return title

    async def title(self) -> str:
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                with contextlib.suppress(MajlisError):
                    answer = await self.owner.client.rooms.GetRoom(
                        room_service_pb2.GetRoomRequest(room_id=self.room_id)
                    )
                    return str(answer.snapshot.room.title)
                await asyncio.sleep(0.1)

    def pid(self, part: str) -> int:
        """The process that is meant."""
        at_spare = sum(ear.relay == SPARE_ID for ear in self.ears) * 2 > len(self.ears)
        if part not in (HOME, SPARE):
            return self.stack.pid(part)
        return self.spare.pid if at_spare == (part == HOME) else self.stack.pid("media_relay")


async def strike(ring: Ring, blow: Blow) -> Seen:
    """Does it and watches until everybody hears, or had their time."""
    await ring.rename()
    ring.stall.longest = 0.0
    pid, began = ring.pid(blow.part), time.monotonic()
    os.kill(pid, SIGNALS[blow.way])
    if blow.frozen:
        await asyncio.sleep(blow.frozen)
        os.kill(pid, signal.SIGCONT)
    acked, back = await _until_commanded(ring)
    await asyncio.sleep(max(0.0, began + blow.frozen + WATCH_SECONDS - time.monotonic()))
    with contextlib.suppress(TimeoutError):
        await ring.until_all_hear(LONGEST_SECONDS - WATCH_SECONDS)
    until = time.monotonic()
    seen = Seen(
        blow,
        [ear.gap(began, until) for ear in ring.ears],
        sum(ear.missed(began, until) for ear in ring.ears),
        sum(ear.hears() for ear in ring.ears),
        back,
        await _forgotten(ring, acked),
        ring.stall.longest,
    )
    await _mended(ring)
    return seen


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
    await ring.spare.start()
    with contextlib.suppress(TimeoutError):
        await ring.until_all_hear(LONGEST_SECONDS)
    await asyncio.sleep(CALM_SECONDS)


@asynccontextmanager
async def ring_of(folder: Path) -> AsyncIterator[Ring]:
    """Starts it all, with everybody hearing; stops it in the end."""
    async with AsyncExitStack() as after:
        stack = Stack(folder / "state", env={**OPEN_LIMITS, **NO_BUDGET})
        await stack.start()
        after.push_async_callback(stack.stop)
        spare = SpareRelay(stack, folder)
        after.push_async_callback(spare.stop)
        await spare.start()
        owner = await owner_of(stack)
        after.push_async_callback(owner.leave_for_good)
        room_id = (await owner.client.create_room("Round 0")).room_id
        voice = voices.tone(folder / "voice.wav", 440)
        speaking = asyncio.ensure_future(speak(owner.client, room_id, voice, loop=True))
        after.callback(speaking.cancel)
        ears = [Ear(await friend_of(stack, owner, f"ear{number}")) for number in range(LISTENERS)]
        ring = Ring(stack, spare, owner, room_id, ears)
        for ear in ears:
            ear.start(room_id)
            after.push_async_callback(ear.stop)
        measuring = asyncio.ensure_future(ring.stall.measure())
        after.callback(measuring.cancel)
        await ring.until_all_hear(30.0)
        await asyncio.sleep(CALM_SECONDS)
        yield ring


async def run(seed: int, seconds: float, folder: Path) -> list[Seen]:
    """The blows of one seed for so many seconds, all of them at most."""
    began, all_seen = time.monotonic(), list[Seen]()
    async with ring_of(folder) as ring:
        for blow in blows(seed):
            if time.monotonic() - began > seconds - WATCH_SECONDS:
                break
            seen = await strike(ring, blow)
            all_seen.append(seen)
            say(table([seen]).splitlines()[1])
    return all_seen


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Command line; 1 when a bar was broken."""
    parser = argparse.ArgumentParser(prog="tests.load.chaos", description=__doc__)
    parser.add_argument("--seeds", default="1", help="numbers with spaces or commas between")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each seed, its start included")
    options = parser.parse_args()
    failed, tables = False, list[str]()
    for seed in (int(each) for each in options.seeds.replace(",", " ").split()):
        with tempfile.TemporaryDirectory(prefix="majlis-chaos-") as folder:
            all_seen = asyncio.run(run(seed, options.seconds, Path(folder)))
        failed = failed or not all_seen or any(broken(seen) for seen in all_seen)
        tables.append(f"seed {seed}\n{table(all_seen)}")
    sys.stdout.write("\n\n".join(tables) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
