"""majlis-load as it plays people who follow their rooms as clients do: cheap ears by the hundred, in many rooms."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support import load_tool
from tests.support.networks import Walled

TELL_SECONDS = 60.0
"""While people come in it answers once they have a place at the door."""


@dataclass(frozen=True)
class Counted:
    """What was counted of one of them since the beginning."""

    room: int
    """In the order in which rooms were given."""
    speaks: bool
    gap: float
    """The longest wait for a packet, seconds."""
    received: int
    hears: bool
    """Whether a packet came within the last half second."""
    sessions: int
    relay: str
    """The address of the one that serves it; empty without one."""


class Followers:
    """The tool, told and asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def let_in(self, plans: Sequence[dict[str, object]]) -> None:
        """These come in from now on, at the tool's pace."""
        await self._say({"rooms": list(plans)})

    async def begin(self) -> None:
        """Counts from now."""
        await self._say("begin")

    async def counted(self) -> list[Counted]:
        """All of them, in the order in which they were given."""
        await self._say("tell")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), TELL_SECONDS)
        if not line:
            _, err = await self._process.communicate()
            raise RuntimeError(f"majlis-load ended with {self._process.returncode}: {err.decode()[-1500:]}")
        return [
            Counted(
                each["room"],
                each["speaks"],
                each["gap"],
                each["received"],
                each["hears"],
                each["sessions"],
                each["from"],
            )
            for each in json.loads(line)
        ]

    async def _say(self, order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def followers(url: str, *options: str, within: Walled | None = None) -> AsyncIterator[Followers]:
    """The tool, with nobody in yet; stopped in the end."""
    process = await load_tool.start("follow", "--api", url, *options, told=True, within=within)
    try:
        yield Followers(process)
    finally:
        await load_tool.stop(process)
