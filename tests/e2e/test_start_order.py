"""Any part may be started before any other: each waits for what it needs, and then everything works."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from majlis.auth.v1 import account_pb2, sign_in_service_pb2
from majlis.room_directory.v1 import room_service_pb2
from majlis_client import Client, FixedToken

from ops.run.options import Options
from ops.run.plan import Part, plan
from ops.run.process import GRPC_EXPERIMENTS
from tests.support.copies import until
from tests.support.outages import WHOLE
from tests.support.stack import ROOT, free_port_triple

BACK_TO_FRONT = "gateway media_relay room_directory invite auth nats"
ORDERS = [BACK_TO_FRONT]
if WHOLE:
    ORDERS += [
        "auth invite room_directory media_relay gateway nats",
        "media_relay nats gateway auth room_directory invite",
        "room_directory media_relay invite gateway nats auth",
        "invite gateway auth nats media_relay room_directory",
    ]
APART_SECONDS = 2.0
READY_SECONDS = 30.0
NOISE = ("Traceback", "[critical", "[error")


class Parts:
    """The processes of one system, each started when the test says so and never by anybody else."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port_triple()
        local = ("127.0.0.1",)
        self._folder = folder
        self._options = Options(
            port=self.port, url=f"http://localhost:{self.port}", certificate=None, key=None, media_addresses=local,
            listen=local, media_listen=local, trusted_proxies="", log_format="text", state=folder,
        )  # fmt: skip
        self._parts = {part.name: part for part in plan(self._options)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        part: Part = self._parts[name]
        env = {"GRPC_EXPERIMENTS": GRPC_EXPERIMENTS, **os.environ, **part.env, "PYTHONUNBUFFERED": "1"}
        with (self._folder / f"{name}.log").open("ab") as out:
            self._running[name] = subprocess.Popen(part.command, cwd=ROOT, env=env, stdout=out, stderr=out)

    def said(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def runs(self, name: str) -> bool:
        return self._running[name].poll() is None

    def owner_link(self) -> str:
        return (self._folder / "owner-link").read_text().strip()

    def stop(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


@pytest.mark.parametrize("order", ORDERS)
async def test_whatever_is_started_first_waits_for_what_it_needs_and_then_all_works(order: str, tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    try:
        for name in order.split():
            parts.start(name)
            await asyncio.sleep(APART_SECONDS)

        async def enters() -> bool:
            with contextlib.suppress(Exception):
                await come_in(parts)
                return True
            return False

        await until(enters, "nobody can enter", READY_SECONDS)
        for name in order.split():
            assert parts.runs(name), f"{name} ended:\n{parts.said(name)[-3000:]}"
            if name != "nats":
                noise = [line for line in parts.said(name).splitlines() if any(word in line for word in NOISE)]
                assert not noise, noise
                # What is waited for is said, and not at each try: those were forty.
                warnings = [line for line in parts.said(name).splitlines() if "[warning" in line]
                assert len(warnings) <= 8, warnings
    finally:
        parts.stop()


async def come_in(parts: Parts) -> None:
    """The owner makes a room and has a permit to speak in it."""
    token_file = parts._folder / "token"
    if not token_file.exists():
        profile = account_pb2.NewProfile(handle="salma", display_name="Salma Nour")
        request = sign_in_service_pb2.SetUpOwnerRequest(token=parts.owner_link().partition("#")[2], profile=profile)
        async with await Client.connect(f"http://localhost:{parts.port}") as client:
            token_file.write_text((await client.sign_ins.SetUpOwner(request)).tokens.access_token)
    async with await Client.connect(f"http://localhost:{parts.port}", FixedToken(token_file.read_text())) as client:
        rooms = await client.list_rooms()
        room_id = rooms[0].room_id if rooms else (await client.create_room("Talking across borders")).room_id
        joined = await client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=room_id))
        assert joined.permit.permit
