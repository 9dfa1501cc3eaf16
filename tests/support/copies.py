"""Two directory processes on one PostgreSQL, with a gateway and a relay as processes before and beside them."""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx

from ops.run.process import GRPC_EXPERIMENTS
from services.common.ids import new_id
from services.common.store.database import Database
from services.room_directory.domain.leases import Lease
from services.room_directory.storage.leases import SqlLeases
from tests.support.auth_contract import AUTH
from tests.support.directory_contract import DirectoryStub
from tests.support.fake_auth import FakeAuth, person
from tests.support.processes import free_port
from tests.support.rpc_harness import TokenMint, serving, test_settings
from tests.support.stack import ROOT

START_SECONDS = 40.0
STOP_SECONDS = 20.0
ASK_SECONDS = 10.0
"""The longest that a person's call to the gateway takes."""
SESSIONS = "majlis_media_relay_sessions{"
SERVICE = "/majlis.room_directory.v1."


async def until(what: Callable[[], Awaitable[bool]], message: str, seconds: float) -> float:
    """Asks again until the answer is yes; returns the seconds that took, and fails when they are over."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            while True:
                if await what():
                    return time.monotonic() - began
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{message} within {seconds:g} s") from None


@dataclass(eq=False)
class Part:
    """One process of a service."""

    name: str
    ready: Path
    log: Path
    process: asyncio.subprocess.Process
    address: str = ""
    """Of its gRPC, where it was given one."""

    def signal(self, what: signal.Signals) -> None:
        self.process.send_signal(what)

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()

    async def serves(self) -> dict[str, int]:
        """The ports it chose, once it serves."""

        async def is_ready() -> bool:
            assert self.process.returncode is None, f"{self.name} ended:\n{self.output()}"
            return self.ready.exists()

        await until(is_ready, f"{self.name} does not serve", START_SECONDS)
        ports: dict[str, int] = json.loads(self.ready.read_text())
        return ports

    def output(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    async def stop(self) -> None:
        """Whatever state it is in."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@dataclass
class Copies:
    """The running processes, and people who call the gateway."""

    folder: Path
    nats_url: str
    database_url: str
    mint: TokenMint = field(default_factory=TokenMint)
    schema: str = field(default_factory=lambda: f"test_{new_id()}")
    directories: list[Part] = field(default_factory=list)
    url: str = ""
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=ASK_SECONDS))
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _tokens: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        """All of it; the copies listen at addresses of their own, so that neither can tell that the other is dead."""
        test_settings(self.folder)
        self.auth = FakeAuth(self.mint)  # type: ignore[abstract]
        (add, service), *more = AUTH
        played = serving(self.auth, add, service, name="auth", mint=self.mint, strict=False, more=more)
        auth_address = (await self._stack.enter_async_context(played)).address
        self._stack.push_async_callback(self.client.aclose)
        database = Database(self.database_url, self.schema)
        self._stack.push_async_callback(database.close)
        self._leases = SqlLeases(database)
        common = {
            "SERVICE_SECRET_FILE": str(self.folder / "service_secret"), "AUTH_ADDRESS": auth_address,
            "NATS_URL": self.nats_url, "LOG_FORMAT": "text",
        }  # fmt: skip
        listen = [f"127.0.0.{number}:{free_port()}" for number in (2, 3)]
        any_copy = {"ROOM_DIRECTORY_ADDRESS": f"ipv4:{','.join(listen)}"}
        stored = {"DATABASE_URL": self.database_url, "DATABASE_SCHEMA": self.schema}
        for number, address in enumerate(listen):
            copy = await self._run("room_directory", {**common, **stored, "GRPC_LISTEN": address}, str(number))
            copy.address = address
            self.directories.append(copy)
        media = {"PACKETS_PER_SECOND_BUDGET": "1000000", "SENDER_THREADS": "1", "PROGRAMME_THREADS": "1"}
        relay = await self._run("media_relay", {**common, **any_copy, **media})
        web = self.folder / "web"
        web.mkdir()
        public = {"LISTEN": f"127.0.0.1:{free_port()}", "WEB_DIRECTORY": str(web), "INVITE_ADDRESS": "127.0.0.1:1"}
        self._gateway = {**common, **any_copy, **public}
        self.gateway = await self._run("gateway", self._gateway)
        for copy in self.directories:
            await copy.serves()
        self._relay = f"http://127.0.0.1:{(await relay.serves())['metrics']}/metrics"
        self.url = f"http://127.0.0.1:{(await self.gateway.serves())['http']}"

    async def _run(self, name: str, settings: dict[str, str], number: str = "") -> Part:
        ready, log = self.folder / f"{name}{number}.json", self.folder / f"{name}{number}.log"
        given = {f"{name}_{key}".upper(): value for key, value in {**settings, "READY_FILE": str(ready)}.items()}
        env = {"GRPC_EXPERIMENTS": GRPC_EXPERIMENTS, **os.environ, **given}
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"services.{name}", cwd=ROOT, env=env, stdout=out, stderr=out
            )
        part = Part(f"{name}{number}", ready, log, process)
        self._stack.push_async_callback(part.stop)
        return part

    async def start_gateway_again(self) -> None:
        """At the same address, after it ended."""
        self.gateway.ready.unlink()
        self.gateway = await self._run("gateway", self._gateway)
        await self.gateway.serves()

    async def stop(self) -> None:
        await self._stack.aclose()

    async def sounds(self) -> int:
        """How many sessions the relay has connected."""
        lines = (await self.client.get(self._relay)).text.splitlines()
        connected = [line for line in lines if line.startswith(SESSIONS) and 'state="connected"' in line]
        return sum(int(float(line.rpartition(" ")[2])) for line in connected)

    # What people do.

    def token(self, name: str) -> str:
        """One for the whole test: whoever is suspended gets no new one."""
        return self._tokens.setdefault(name, self.mint.token(person(name)))

    async def ask(self, name: str, method: str, **body: Any) -> httpx.Response:
        """What the gateway answers a person."""
        headers = {"Authorization": f"Bearer {self.token(name)}"}
        return await self.client.post(f"{self.url}{SERVICE}{method}", json=body, headers=headers)

    async def does(self, name: str, method: str, **body: Any) -> Any:
        """The same where a refusal is a failure."""
        answer = await self.ask(name, method, **body)
        assert answer.status_code == 200, f"{name}: {method}: {answer.text}"
        return answer.json()

    async def make_room(self, leader: str) -> str:
        """A room whose leader has entered; waits until that is possible, as it is once the relay is known."""
        request = {"requestId": secrets.token_hex(16), "title": f"Stars over {leader}", "language": "ar"}
        room_id = str((await self.does(leader, "RoomService/CreateRoom", **request))["room"]["roomId"])

        async def is_in() -> bool:
            answer = await self.ask(leader, "RoomService/JoinRoom", roomId=room_id)
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200

        await until(is_in, "nobody can enter", 15.0)
        return room_id

    async def bring_up(self, leader: str, name: str, room_id: str) -> None:
        """Somebody who is in the room comes on its stage."""
        offered = await self.does(leader, "StageService/OfferStage", roomId=room_id, userId=person(name))
        await self.does(name, "StageService/AcceptOffer", roomId=room_id, offerId=offered["offer"]["offerId"])

    async def lease(self, room_id: str) -> Lease:
        """The row of a room."""
        found = await self._leases.find(room_id)
        assert found is not None
        return found

    async def owner(self, room_id: str) -> Part:
        """The copy that owns a room, as its row says."""
        address = (await self.lease(room_id)).address
        return next(copy for copy in self.directories if copy.address == address)

    @asynccontextmanager
    async def at(self, copy: Part) -> AsyncIterator[Any]:
        """Calls of one copy, past the gateway."""
        async with grpc.aio.insecure_channel(copy.address) as channel:
            yield DirectoryStub(channel)

    def as_user(self, name: str) -> tuple[tuple[str, str], ...]:
        """Metadata of such calls."""
        return (("authorization", f"Bearer {self.token(name)}"),)


@asynccontextmanager
async def copies(folder: Path, nats_url: str, database_url: str) -> AsyncIterator[Copies]:
    """The processes; every one of them ends with the block, also one that did not start or stands still."""
    made = Copies(folder, nats_url, database_url)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
