"""WebSockets as hostile clients use them, over a plain socket: strangers get this far, so all of it has a bound."""

import asyncio
import json
from contextlib import suppress

import pytest

from tests.integration.gateway.conftest import ROOM, Origin

PING = b"\x89\xfd\0\0\0\0" + b"x" * 125
FRAGMENT = b"\x00\x80\0\0\0\0"
FIRST_FRAGMENT = b"\x02\x80\0\0\0\0"


def text(said: object) -> bytes:
    """A short message."""
    data = json.dumps(said).encode()
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


async def opened(origin: Origin) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket of somebody who shows nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(
        f"GET /speak/{ROOM} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    return reader, writer


async def cut_after(writer: asyncio.StreamWriter, frame: bytes, most: int) -> int:
    """How many frames went until the gateway dropped the connection."""
    sent = 0
    with suppress(ConnectionError):
        async with asyncio.timeout(4):
            while sent < most:
                writer.write(frame * 100)
                await writer.drain()
                sent += 100
    return sent


@pytest.mark.parametrize(
    ("first", "frame"),
    [(b"", PING), (FIRST_FRAGMENT, FRAGMENT), (b"", b"\x8a\x80\0\0\0\0")],
    ids=["pings", "fragments of nothing", "pongs"],
)
async def test_a_flood_of_what_is_no_message_ends_the_connection(origin: Origin, first: bytes, frame: bytes) -> None:
    _, writer = await opened(origin)
    writer.write(first)
    # What the systems between hold has gone before it is known that the connection is dropped.
    assert await cut_after(writer, frame, 3_000_000) < 3_000_000
    writer.close()


async def test_a_few_pings_and_fragments_are_fine(origin: Origin) -> None:
    reader, writer = await opened(origin)
    writer.write(PING * 3)
    pong = await asyncio.wait_for(reader.readexactly(2 + 125), 5)
    assert pong[:2] == b"\x8a\x7d"
    hello = b'{"open": {}}'
    writer.write(b"\x01\x85\0\0\0\0" + hello[:5] + bytes([0x80, 0x80 | len(hello[5:]), 0, 0, 0, 0]) + hello[5:])
    assert b"NOT_SIGNED_IN" in await asyncio.wait_for(reader.readuntil(b"}}"), 5)
    writer.close()


@pytest.mark.parametrize("form", [["webm"], {"webm": 1}, 7, None, "mp3"])
async def test_a_form_that_is_none_is_refused_and_no_fault(origin: Origin, form: object) -> None:
    reader, writer = await opened(origin)
    writer.write(text({"open": {"form": form, "permit": "a.b.c"}}))
    assert b"FIELD_INVALID" in await asyncio.wait_for(reader.readuntil(b"}}"), 5)
    writer.close()
