"""The hall of these tests leaves nothing behind, whatever was going on in it."""

import asyncio
import gc
from pathlib import Path

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
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, asyncio.BaseTransport) and not each.is_closing()]
    assert left == []
