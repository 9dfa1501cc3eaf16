"""A room that its moderator opens to the web from a terminal, and is told there by which way it is heard."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from majlis_client import Client, FixedToken

from tests.e2e.test_command import host_of, invited
from tests.support.stack import Stack


async def hears_to_the_end(url: str, room: str) -> None:
    """What a player does without any sign-in, until the server ends the stream."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        request = f"GET /listen/w/{room}.webm HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        assert (await reader.readline()).split()[1] == b"200"
        while await reader.read(65536):
            pass
    finally:
        writer.close()


async def test_a_moderator_opens_a_room_from_a_terminal_sees_who_hears_it_how_and_closes_it(
    stack: Stack, tmp_path: Path
) -> None:
    host = await host_of(tmp_path / "host", stack)
    guest = await invited(tmp_path / "guest", stack, host, "omar")
    room = json.loads(await host.run("create", "--title", "Night sky", "--json"))["room_id"]
    out = await host.run("rooms", "open-to-web", "--room", room, "--limit", "7")
    assert "at most 7 at once" in out
    assert out.rstrip().endswith(f"/embed/{room}")
    assert f"{room}" in (listed := await host.run("rooms"))
    assert "(open to the web, without signing in: 0)" in listed

    async with await Client.connect(stack.url, FixedToken(host.access_token)) as client:
        await client.join(room, without_permit=True)
        heard = str(tmp_path / "heard.ogg")
        listening = guest.start("listen", "--room", room, "--over", "https", "-o", heard, "--seconds", "40")
        stranger = asyncio.ensure_future(hears_to_the_end(stack.url, room))
        try:
            said: list[str] = []
            for _ in range(10):
                said = (await host.run("rooms", "ways", "--room", room)).splitlines()
                if {"Over the web: 1", "Without signing in: 1"} <= set(said):
                    break
                await asyncio.sleep(1)
            assert {"Call: 0", "Over the web: 1", "Without signing in: 1"} <= set(said)
            (listed_room,) = [each for each in json.loads(await host.run("rooms", "--json")) if each["room_id"] == room]
            assert listed_room["web_listeners"] == 1
            await host.run("rooms", "close-to-web", "--room", room)
            async with asyncio.timeout(10):
                await stranger
            assert "Without signing in: 0" not in await host.run("rooms", "ways", "--room", room), "it is closed"
        finally:
            stranger.cancel()
            listening.terminate()
            await asyncio.to_thread(listening.communicate, None, 30)
            with suppress(asyncio.CancelledError):
                await stranger
