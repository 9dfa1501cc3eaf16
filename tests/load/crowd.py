"""A crowd for the benchmark: tokens for people without accounts, a room, and majlis-load listening to it."""

import asyncio
import base64
import json
import sqlite3
import time
import urllib.request
from pathlib import Path
from typing import Any

from majlis_client import Client, FixedToken

from services.common.ids import new_id
from services.common.trust.key_ring import KeyRing
from tests.support import load_tool
from tests.support.stack import Stack

TOKEN_SECONDS = 3600
DROP_CAUSES = ("overload_drops", "send_buffer_drops", "send_errors", "seal_errors", "programme_packets_lost")
OPEN_LIMITS = {
    # All listeners come from one address here; these limits are per network.
    "GATEWAY_REQUESTS_PER_SECOND": "100000",
    "GATEWAY_REQUEST_BURST": "100000",
    "GATEWAY_STREAM_OPENS_PER_SECOND": "10000",
    "MEDIA_RELAY_HANDSHAKES_PER_SOURCE_PER_SECOND": "100000",
    "ROOM_DIRECTORY_LOG_LEVEL": "warning",
    "GATEWAY_LOG_LEVEL": "warning",
    "MEDIA_RELAY_LOG_LEVEL": "warning",
}

NO_BUDGET = {"MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": "5000000"}
"""The relay takes whoever comes, whatever it was measured to manage."""


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


def person_of(token: str) -> str:
    """Whose token it is."""
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return str(claims["sub"])


def token_file(path: Path, lines: list[str]) -> Path:
    """One token a line, as majlis-load reads them."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


async def room(stack: Stack, token: str) -> str:
    """A room that the token's person leads."""
    async with await Client.connect(stack.url, FixedToken(token)) as client:
        return (await client.create_room("Benchmark")).room_id


async def bring_up(stack: Stack, room_id: str, leader_token: str, guest_token: str) -> None:
    """A guest raises a hand, is offered the stage, and accepts."""
    async with (
        await Client.connect(stack.url, FixedToken(leader_token)) as leader,
        await Client.connect(stack.url, FixedToken(guest_token)) as client,
    ):
        await leader.join(room_id, without_permit=True)
        await client.join(room_id, without_permit=True)
        await client.raise_hand(room_id)
        offer = await leader.offer_stage(room_id, person_of(guest_token))
        await client.accept_offer(room_id, offer.offer_id)


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

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def settled(self, seconds: float) -> None:
        """Returns once everyone hears, or those who do not have had their time. Raises RuntimeError, TimeoutError."""
        assert self.process is not None
        assert self.process.stderr is not None
        said = b""
        async with asyncio.timeout(seconds):
            while line := await self.process.stderr.readline():
                said += line
                if line.startswith(b"settled:"):
                    return
        raise RuntimeError(f"majlis-load ended before its crowd was in: {said.decode()[-1500:]}")

    async def stop(self) -> None:
        """Ends it, if it has not ended."""
        if self.process is not None and self.process.returncode is None:
            await load_tool.stop(self.process)

    async def report(self, seconds: float) -> dict[str, Any]:
        """What it says in the end."""
        assert self.process is not None
        _, err = await asyncio.wait_for(self.process.communicate(), seconds)
        path = self._folder / "report.json"
        if not path.exists():
            raise RuntimeError(f"majlis-load ended with {self.process.returncode}: {err.decode()[-1500:]}")
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded


def value_in(text: str, name: str, label: str = "") -> float:
    """The sum over all label values of a metric on a page of metrics, or over those with a label."""
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def value_of(url: str, name: str, label: str = "") -> float:
    """The same, from a page that is asked for."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return value_in(answer.read().decode(), name, label)


async def core_drops(stack: Stack) -> dict[str, float]:
    """Packets to listeners that the relay did not send, by cause, since it started."""
    text = await asyncio.to_thread(stack.metrics, "media_relay")
    return {cause: value_in(text, f"majlis_media_relay_core_{cause}_total") for cause in DROP_CAUSES}
