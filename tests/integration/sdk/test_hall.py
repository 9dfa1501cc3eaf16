"""The hall of these tests leaves nothing behind, whatever was going on in it."""

import asyncio
import gc
from pathlib import Path

import pytest
from majlis_client import Client, FixedToken, listen

from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, open_hall


async def test_a_hall_that_closes_while_a_session_is_being_opened_leaves_no_socket(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall, await Client.connect(hall.url, FixedToken(hall.mint.token())) as client:
        hall.media_open.clear()
        listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60))
        await eventually(lambda: any(method == "POST" for method, _, _ in hall.requests))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert left_open() == []


@pytest.mark.parametrize("turns", range(12))
async def test_a_session_that_a_test_closes_as_soon_as_it_is_there_leaves_no_socket(tmp_path: Path, turns: int) -> None:
    async with open_hall(tmp_path) as hall, await Client.connect(hall.url, FixedToken(hall.mint.token())) as client:
        listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60))
        while not hall.peers:  # noqa: ASYNC110 (a longer wait would be over it)
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await hall.peers[0].close()
        await asyncio.sleep(0.1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert left_open() == []


def left_open() -> list[asyncio.BaseTransport]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, asyncio.BaseTransport) and not each.is_closing()]
