"""A crowd for the benchmark: tokens for people without accounts, a room, and majlis-load listening to it."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from majlis_client import Client, FixedToken

from services.common.ids import new_id
from services.common.key_ring import KeyRing
from tests.support import load_tool
from tests.support.stack import Stack

TOKEN_SECONDS = 3600


def signing_keys(stack: Stack) -> KeyRing:
    """The deployment's token keys, out of the database of a system that the benchmark itself started."""
    with sqlite3.connect(stack.state / "data" / "auth.db") as database:
        (dump,) = database.execute("select value from secrets where name = 'key_ring'").fetchone()
    return KeyRing.restore(dump)


def tokens(stack: Stack, count: int) -> list[str]:
    """Access tokens of people that only the token knows: joining a room asks for no more."""
    ring = signing_keys(stack)
    now = int(time.time())
    times = {"iat": now, "exp": now + TOKEN_SECONDS}
    base = {"iss": "auth", "aud": "majlis", "opr": False, **times}
    return [ring.sign({**base, "sub": new_id(), "sid": new_id()}, "at+jwt") for _ in range(count)]


def token_file(path: Path, lines: list[str]) -> Path:
    """One token a line, as majlis-load reads them."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


async def room(stack: Stack, token: str) -> str:
    """A room that the token's person leads."""
    async with await Client.connect(stack.url, FixedToken(token)) as client:
        return (await client.create_room("Benchmark")).room_id


class Crowd:
    """majlis-load as a process that the benchmark watches while it runs."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.process: asyncio.subprocess.Process | None = None

    async def arrive(self, room_id: str, count: int, *options: str) -> None:
        """Starts the listeners; they join through the public HTTP API."""
        people = token_file(self._folder / "listeners", tokens(self._stack, count))
        report = self._folder / "report.json"
        report.unlink(missing_ok=True)
        self.process = await load_tool.start(
            "listen", "--api", self._stack.url, "--room", room_id, "--tokens", str(people), "--listeners", str(count),
            "--json", str(report), "--quiet", *options,
        )  # fmt: skip

    async def report(self, seconds: float) -> dict[str, Any]:
        """What it says in the end."""
        assert self.process is not None
        _, err = await asyncio.wait_for(self.process.communicate(), seconds)
        path = self._folder / "report.json"
        if not path.exists():
            raise RuntimeError(f"majlis-load ended with {self.process.returncode}: {err.decode()[-1500:]}")
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded


async def metric(stack: Stack, service: str, name: str) -> float:
    """The sum over all label values of a metric of a service."""
    text = await asyncio.to_thread(stack.metrics, service)
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
