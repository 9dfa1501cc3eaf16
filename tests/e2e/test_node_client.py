"""Clients in another language over native gRPC: one made from the published contracts alone, and the project's own."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from majlis.room_directory.v1 import room_pb2

from tests.support.members import friend_of, owner_of
from tests.support.stack import Stack
from tools import toolchains

SCRIPTS = Path(__file__).parent / "node_client"
SDK = Path(__file__).resolve().parents[2] / "sdk" / "typescript"
CONTRACTS = Path(__file__).resolve().parents[2] / "gen" / "majlis.binpb"


async def npm(*arguments: str, folder: Path) -> str:
    """The output of npm, which must succeed."""
    env = toolchains.with_node(dict(os.environ))
    process = await asyncio.create_subprocess_exec(
        "npm", *arguments, cwd=folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, err.decode()
    return out.decode()


REFUSED = ["ROOM_NOT_FOUND", "ROOM", False]
"""What the client of the project says of a call for a room that is not there."""


async def installed(script: str, folder: Path) -> Path:
    """The script in a project of its own that has the client installed as anybody would have it."""
    packed = await npm("pack", "--pack-destination", str(folder), folder=SDK)
    (folder / "package.json").write_text('{"private": true}')
    archive = str(folder / packed.split()[-1])
    await npm("install", "--prefer-offline", "--no-audit", "--no-fund", archive, folder=folder)
    shutil.copy(SCRIPTS / script, folder)
    return folder / script


@pytest.mark.parametrize("script", ["raise_hand.mjs", "raise_hand_with_sdk.mjs"])
async def test_a_node_client_raises_a_hand_sees_the_event_and_ends(stack: Stack, script: str, tmp_path: Path) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room = await owner.client.create_room("Other languages")
    path = await installed(script, tmp_path) if script == "raise_hand_with_sdk.mjs" else SCRIPTS / script
    env = toolchains.with_node({**os.environ, "MAJLIS_TOKEN": guest.access_token})
    process = await asyncio.create_subprocess_exec(
        "node", str(path), stack.url, room.room_id, str(CONTRACTS), env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    assert seen["first"] == "snapshot"
    assert seen["role"] == room_pb2.ROLE_LISTENER
    assert seen["userId"] == guest.user_id
    assert (seen["question"], seen["position"]) == ("From another language?", 1)
    assert seen.get("why", REFUSED) == REFUSED
    await owner.leave_for_good()
    await guest.leave_for_good()
