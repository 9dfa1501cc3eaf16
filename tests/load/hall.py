"""Many rooms for the benchmark: who leads, speaks and listens in them, and the load tool that plays all of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.load.crowd import bring_up, room, tokens
from tests.support import load_tool
from tests.support.stack import Stack

AT_ONCE = 8
"""Rooms made at the same time."""
SETTLED_SECONDS = 360.0
"""All of a stage hear, or had their time, by then."""


@dataclass(frozen=True)
class Room:
    """A room and tokens of those who come into it."""

    room_id: str
    leader: str
    second: str | None
    """On stage beside the leader, without a microphone until the tool brings one."""
    listeners: list[str]

    def everybody(self) -> dict[str, object]:
        """The leader and the listeners, as the tool reads it."""
        return {"room": self.room_id, "speakers": [self.leader], "listeners": self.listeners}

    def second_speaker(self) -> dict[str, object]:
        """The second speaker alone."""
        assert self.second is not None
        return {"room": self.room_id, "speakers": [self.second], "first_speaker": 1}


async def make_rooms(stack: Stack, count: int, listeners: int, *, seconds: bool = False) -> list[Room]:
    """So many rooms; with `seconds`, each has somebody else on stage too."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def make() -> Room:
        leader, second, *others = tokens(stack, listeners + 2)
        async with turn:
            room_id = await room(stack, leader)
            if seconds:
                await bring_up(stack, room_id, leader, second)
        return Room(room_id, leader, second if seconds else None, others)

    return await asyncio.gather(*(make() for _ in range(count)))


class Players:
    """majlis-load as it plays people in many rooms, stage by stage."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def fill(
        self, plans: Sequence[dict[str, object]], seconds: float, *, meanwhile: bool = False
    ) -> dict[str, Any]:
        """Lets people in; what the tool says once they hear. `meanwhile` measures from before they come."""
        assert self._process.stdin is not None
        stage = {"rooms": list(plans), "seconds": seconds, "meanwhile": meanwhile}
        self._process.stdin.write(json.dumps(stage).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._told("settled", SETTLED_SECONDS)

    async def measured(self, seconds: float) -> dict[str, Any]:
        """What the tool counted, once the seconds of its stage are over."""
        return await self._told("measured", seconds + 30)

    async def _told(self, what: str, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        if not line:
            _, err = await self._process.communicate()
            raise RuntimeError(f"majlis-load ended with {self._process.returncode}: {err.decode()[-1500:]}")
        told: dict[str, dict[str, Any]] = json.loads(line)
        return told[what]

    async def finish(self, seconds: float = 30.0) -> None:
        """Lets everybody go, and what they heard be written."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), seconds)


@asynccontextmanager
async def players(url: str, *options: str) -> AsyncIterator[Players]:
    """The tool, with nobody in yet; stopped in the end."""
    process = await load_tool.start("rooms", "--api", url, *options, told=True)
    try:
        yield Players(process)
    finally:
        await load_tool.stop(process)
