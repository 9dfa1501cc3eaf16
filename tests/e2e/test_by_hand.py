"""More copies beside `make run`, started by the lines that the guide to scaling prints."""

import asyncio
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from majlis.invite.v1 import invite_service_pb2
from majlis_client import Client, FixedToken

from tests.support.members import owner_of
from tests.support.postgres import PostgresServer
from tests.support.printed import blocks
from tests.support.stack import ROOT, Stack, free_port_triple

GUIDE = ROOT / "docs" / "guides" / "scaling.md"


def start(stack: Stack, service: str, port: int, output: Path, more: str = "") -> subprocess.Popen[bytes]:
    """Types the lines of the guide, with ports of the test's own; `more` are settings beside those."""
    lines = [line for text in blocks(GUIDE) for line in text.splitlines()]
    named = [line for line in lines if line.startswith("settings_of()")]
    (command,) = (line for line in lines if line.endswith(f"-m services.{service}"))
    typed = ported(command.replace(" .venv/", f" {more} .venv/"), port)
    script = "\n".join([f"state={stack.state}", *named, f"exec {typed}"])
    with output.open("wb") as out:
        return subprocess.Popen(
            ["bash", "-c", script], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]}
        )


def ported(text: str, port: int) -> str:
    """A line of the guide with ports of the test's own in the place of its ports: those of sound come last."""
    return re.sub(r"\b84([456])([01])\b", lambda found: str(port + int(found[2]) + 2 * (found[1] == "4")), text)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def test_a_second_relay_and_gateway_serve_beside_those_of_make_run(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    await stack.start()
    port = free_port_triple()
    parts = [start(stack, name, port, tmp_path / f"{name}.log") for name in ("media_relay", "gateway")]
    try:
        await until(lambda: "majlis_room_directory_relays 2.0" in stack.metrics("room_directory"))
        await until(lambda: answers(f"http://127.0.0.1:{port}/"))
        parts[0].send_signal(signal.SIGINT)
        await until(lambda: "relay gone, as it was told to" in stack.output)
        assert parts[0].wait(20) == 0
    finally:
        for part in parts:
            part.terminate()
            part.wait(20)
        assert await stack.stop() == 0


async def test_second_copies_of_directory_auth_and_invite_serve_on_postgresql_beside_those_of_make_run(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    owners = ("auth", "invite", "room_directory")
    env = {f"{owner.upper()}_DATABASE_URL": postgres_server.url for owner in owners}
    stack = Stack(tmp_path / "state", env=env)
    await stack.start()
    port, gateways = free_port_triple(), free_port_triple()
    (more,) = re.findall(r"`(GATEWAY_AUTH_ADDRESS=[^`]*)`", GUIDE.read_text())
    parts = [start(stack, name, port, tmp_path / f"{name}.log") for name in owners]
    try:
        await until(lambda: "majlis_room_directory_copies 2.0" in stack.metrics("room_directory"))
        parts.append(start(stack, "gateway", gateways, tmp_path / "gateway.log", ported(more, port)))
        await until(lambda: answers(f"http://127.0.0.1:{gateways}/"))
        owner = await owner_of(stack)
        async with await Client.connect(f"http://localhost:{gateways}", FixedToken(owner.access_token)) as client:
            assert (await client.me()).profile.user_id == owner.user_id, "by the second auth"
            invitation = await client.invite(note="by the second invite")
            mine = await owner.client.invites.ListInvitations(invite_service_pb2.ListInvitationsRequest())
            assert [each.invitation_id for each in mine.invitations] == [invitation.invitation_id]
            assert await client.create_room("By whichever directory")
        await owner.client.close()
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait(20)
        assert await stack.stop() == 0
