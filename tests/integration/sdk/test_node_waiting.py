"""The client for Node before a full room."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from majlis.room_directory.v1 import room_pb2

from tests.support.fake_hall import ROOM_ID, Hall
from tools import toolchains

SCRIPT = Path(__file__).parent / "wait_in_line.mjs"
CLIENT = Path(__file__).resolve().parents[3] / "sdk" / "typescript" / "dist" / "index.js"


async def _wait(hall: Hall, most: int) -> Any:
    env = toolchains.with_node({**os.environ, "MAJLIS_TOKEN": hall.mint.token()})
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), str(CLIENT), hall.url, ROOM_ID, str(most), env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_it_waits_in_line_tells_each_place_and_takes_the_seat(hall: Hall) -> None:
    hall.line.places = [
        room_pb2.Place(ticket="first", position=2, waiting_count=2),
        room_pb2.Place(ticket="second", position=1, waiting_count=1, offered=True),
    ]
    seen = await _wait(hall, 99)
    assert seen == {"refused": "ROOM_FULL", "places": [2, 1], "role": room_pb2.ROLE_LISTENER}
    assert hall.line.tickets == ["", "first"]


async def test_who_gives_up_gives_the_place_up(hall: Hall) -> None:
    hall.line.places = [room_pb2.Place(ticket=f"ticket{number}", position=3, waiting_count=3) for number in range(9)]
    seen = await _wait(hall, 2)
    assert (seen["places"], seen["role"]) == ([3, 3], "AbortError")
    assert hall.left == ["line ticket1"]


@pytest.mark.parametrize(
    ("email", "keep", "left"),
    [("", "", [["codecodecode", "a" * 32]]), ("lina@hall.example", "", []), ("", "keep", [])],
    ids=["gives up", "left an address", "keeps the place"],
)
async def test_who_gives_up_before_the_doors_leaves_the_line_unless_the_place_is_kept(
    email: str, keep: str, left: list[list[str]]
) -> None:
    script = Path(__file__).parent / "give_up_doors.mjs"
    process = await asyncio.create_subprocess_exec(
        "node", str(script), str(CLIENT), email, keep, env=toolchains.with_node(dict(os.environ)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == {"ended": "AbortError", "left": left}
