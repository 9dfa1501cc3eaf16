"""Clients in another language over native gRPC: one made from the published contracts alone, and the project's own."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from majlis.room_directory.v1 import room_pb2

from tests.support.members import friend_of, owner_of
from tests.support.stack import Stack
from tools import toolchains

SCRIPTS = Path(__file__).parent / "node_client"
CONTRACTS = Path(__file__).resolve().parents[2] / "gen" / "majlis.binpb"


@pytest.mark.parametrize("script", ["raise_hand.mjs", "raise_hand_with_sdk.mjs"])
async def test_a_node_client_raises_a_hand_and_sees_the_event(stack: Stack, script: str) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room = await owner.client.create_room("Other languages")
    env = toolchains.with_node({**os.environ, "MAJLIS_TOKEN": guest.access_token})
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPTS / script), stack.url, room.room_id, str(CONTRACTS), env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    assert seen["first"] == "snapshot"
    assert seen["role"] == room_pb2.ROLE_LISTENER
    assert seen["userId"] == guest.user_id
    assert seen["handCount"] == 1
    await owner.leave_for_good()
    await guest.leave_for_good()
