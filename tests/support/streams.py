"""Reads event streams as a client does, over a plain socket, so that a test decides when it reads."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass
class ServerEvent:
    """One server-sent event."""

    name: str
    event_id: int | None
    data: Any


class EventStream:
    """One connection that watches a room."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.retry: int | None = None
        self.comments = 0
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in headers.items()
        )
        self._text = ""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            self._writer.write(self._request.encode() + b"\r\n")
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        except BaseException:
            self._writer.close()
            raise
        lines = head.split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def next(self, seconds: float = 5.0) -> ServerEvent | None:
        """The next event; None once the stream has ended."""
        async with asyncio.timeout(seconds):
            while True:
                block, found, rest = self._text.partition("\n\n")
                if found:
                    self._text = rest
                    event = self._parse(block)
                    if event is not None:
                        return event
                    continue
                chunk = await self._chunk()
                if not chunk:
                    return None
                self._text += chunk

    async def until(self, name: str, seconds: float = 5.0) -> ServerEvent:
        """The next event of this name."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self.next(seconds)
                assert event is not None, f"the stream ended before {name}"
                if event.name == name:
                    return event

    async def body(self) -> Any:
        """The JSON body of a refusal."""
        return json.loads(await self._reader.readexactly(int(self.headers["content-length"])))

    async def _chunk(self) -> str:
        try:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            data = await self._reader.readexactly(size + 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            return ""
        return data[:-2].decode()

    def _parse(self, block: str) -> ServerEvent | None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if not name:
                self.comments += 1
            fields[name] = value.strip()
        if "retry" in fields:
            self.retry = int(fields["retry"])
        if "event" not in fields:
            return None
        event_id = int(fields["id"]) if "id" in fields else None
        return ServerEvent(fields["event"], event_id, json.loads(fields["data"]))
