"""The smallest WHIP endpoint before a relay: what is posted goes to it, and its answer comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from majlis.media_relay.v1 import media_relay_service_pb2 as pb

from services.common.errors import DomainError
from tests.support.stream_server import stream_server


@dataclass
class WhipDoor:
    """One relay's door on loopback."""

    relay: Any
    """The relay as the gateway calls it."""
    url: str = ""
    offers: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    _open: dict[str, str] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        method, path, _ = (await reader.readline()).decode().split(" ", 2)
        headers = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        status, more, content = await self._answer(method, path, headers, body)
        lines = [f"HTTP/1.1 {status}", *more, f"Content-Length: {len(content.encode())}", "Connection: close"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + content).encode())
        await writer.drain()

    async def _answer(self, method: str, path: str, headers: dict[str, str], body: str) -> tuple[str, list[str], str]:
        if method == "DELETE":
            session_id = path.rpartition("/")[2]
            permit = self._open.pop(session_id)
            with contextlib.suppress(DomainError):
                await self.relay.DeleteSession(pb.DeleteSessionRequest(session_id=session_id, permit=permit))
            return "200 OK", [], ""
        permit = headers.get("authorization", "").removeprefix("Bearer ")
        self.offers.append(body)
        try:
            opened = await self.relay.CreateSession(pb.CreateSessionRequest(permit=permit, offer_sdp=body))
        except DomainError as error:
            return "422 Unprocessable Content", ["Content-Type: text/plain"], error.message
        self._open[opened.session_id] = permit
        self.answers.append(opened.answer_sdp)
        return (
            "201 Created",
            ["Content-Type: application/sdp", f"Location: {self.url}/{opened.session_id}"],
            opened.answer_sdp,
        )


@asynccontextmanager
async def whip_door(relay: Any) -> AsyncIterator[WhipDoor]:
    """The door, open."""
    door = WhipDoor(relay)
    async with stream_server(door.serve) as server:
        door.url = f"http://127.0.0.1:{server.address[1]}/whip"
        yield door
