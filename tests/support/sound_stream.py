"""One who listens over HTTP with a socket of their own: reads when told, and knows what every byte was."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import av

from tests.support import load_tool


class SoundStream:
    """GET of a live stream, as an async context manager."""

    def __init__(
        self, port: int, path: str, headers: dict[str, str], *, version: str = "1.1", receive_bytes: int | None = None
    ) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._request = f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{lines}\r\n".encode()
        self._port = port
        self._receive_bytes = receive_bytes
        self._chunked = version == "1.1"
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def __aenter__(self) -> Self:
        sock = socket.socket()
        if self._receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        # A small limit: what is not asked for stays with the system.
        self._reader, self._writer = await asyncio.open_connection(sock=sock, limit=4096)
        self._writer.write(self._request)
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def chunk(self, seconds: float = 10.0) -> bytes:
        """The next chunk; empty at the end of the stream."""
        async with asyncio.timeout(seconds):
            size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
            data = await self._reader.readexactly(size + 2)
        self.body += data[:-2]
        return data[:-2]

    async def read_for(self, seconds: float) -> None:
        """Reads what comes in that time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if self._chunked:
                        await self.chunk(seconds)
                    else:
                        self.body += await self._reader.read(4096)
        except TimeoutError:
            pass

    async def until_packet(self, opus: bytes, seconds: float = 10.0) -> None:
        """Reads until a packet with these bytes has come."""
        async with asyncio.timeout(seconds):
            while opus not in self.body:
                await self.chunk(seconds)

    async def until_over(self, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while await self.chunk(seconds):
                pass

    def packets(self) -> list[bytes]:
        """The Opus packets that came, whatever the container."""
        return [opus for _, opus in self.placed()]

    def placed(self) -> list[tuple[float, bytes]]:
        """The same, each with the second it begins at."""
        found = []
        with av.open(io.BytesIO(self.body), "r") as opened:
            for packet in opened.demux(audio=0):
                if packet.size:
                    assert packet.pts is not None
                    found.append((float(packet.pts * packet.time_base), bytes(packet)))
        return found


async def until_spoken(stream: SoundStream) -> None:
    """Until a second of what comes is sound: packets with something in them."""
    async with asyncio.timeout(60):
        while len(await stream.chunk(30)) < 1000:
            pass


@asynccontextmanager
async def heard_to_speak(url: str, room_id: str, speaker: str, listener: str, voice: Path) -> AsyncIterator[None]:
    """Speaks a file over and over, by two access tokens, and is heard: a busy machine takes seconds to begin."""
    header = {"Authorization": f"Bearer {listener}"}
    async with load_tool.speaking(url, room_id, speaker, voice):
        async with SoundStream(urlsplit(url).port or 0, f"/listen/{room_id}.webm", header) as stream:
            await until_spoken(stream)
        yield
