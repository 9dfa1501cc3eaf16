"""A plain HTTP proxy as offices have one: it holds back what it may, and knows no upgrades."""

import asyncio
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager, suppress

from tests.support.stream_server import stream_server

_HELD = 4096
"""Bytes that are gathered before they are passed on, unless the server asks that nothing is."""
_HEAD = 64 * 1024


@asynccontextmanager
async def buffering_proxy(address: str, origin_port: int, forbidden: Container[str] = ()) -> AsyncIterator[int]:
    """One that leads to this machine's server, whatever host is asked for; yields its port.

    It refuses paths whose first part is `forbidden` when they are asked for.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            await _pass_on(reader, writer, origin_port, forbidden)

    async with stream_server(serve, address, limit=_HEAD) as server:
        yield server.address[1]


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin_port: int, forbidden: Container[str]
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *fields = head.rstrip("\r\n").split("\r\n")
    method, address, _ = first.split(" ", 2)
    is_plain = method != "CONNECT" and address.startswith("http://")
    if not is_plain or address.split("/")[3] in forbidden:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    path = "/" + address.split("/", 3)[3]
    kept = [field for field in fields if not field.lower().startswith(("connection:", "proxy-connection:", "upgrade:"))]
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", origin_port, limit=_HEAD)
    try:
        server_writer.write(
            "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")
        )
        length = next((int(field.split(":")[1]) for field in kept if field.lower().startswith("content-length:")), 0)
        server_writer.write(await reader.readexactly(length))
        await _answer(server_reader, writer)
    finally:
        server_writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(head)
    passes = b"x-accel-buffering: no" in head.lower()
    held = b""
    while data := await reader.read(_HELD):
        held += data
        if passes or len(held) >= _HELD:
            writer.write(held)
            held = b""
            await writer.drain()
    writer.write(held)
    await writer.drain()
