"""People behind a wall who have plain HTTPS: they listen, read events, or speak, and come back after a block."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.load.walls import Place
from tests.support.opus_voice import spoken

WAITS = (0.3, 3.0)
"""Between two tries."""
ANSWER_SECONDS = 15.0
LOST = (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError, WebSocketException)


@dataclass(eq=False)
class Reader:
    """Somebody with one long answer, which they ask for again when it ends or falls silent."""

    place: Place
    path: str
    token: str
    patience: float
    """How long they wait for the next bytes."""
    room_id: str = ""
    """The room whose seat they take first; none where the request itself takes it."""
    came: float = 0.0
    gap: float = 0.0
    opens: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def is_there(self, now: float) -> bool:
        """Whether something came lately."""
        return now - self.came < self.patience

    async def live(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(*LOST):
                await self._once()
            await asyncio.sleep(random.uniform(*WAITS))

    async def _once(self) -> None:
        if self.room_id:
            await join(self.place, self.room_id, self.token)
        reader, writer = await self.place.connect()
        try:
            head = f"GET {self.path} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {self.token}\r\n\r\n"
            writer.write(head.encode())
            async with asyncio.timeout(ANSWER_SECONDS):
                status = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode()
            if " 200" not in status:
                self.refused[status] += 1
                return
            self.opens += 1
            while await self._more(reader):
                now = time.monotonic()
                self.gap = max(self.gap, now - self.came) if self.came else 0.0
                self.came = now
        finally:
            writer.transport.abort()

    async def _more(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self.patience):
            data = await reader.read(1 << 16)
        await self.place.awake.wait()
        return data


async def join(place: Place, room_id: str, token: str) -> None:
    """Takes the seat, or finds it taken. Raises OSError, TimeoutError."""
    body = json.dumps({"roomId": room_id, "withoutPermit": True}).encode()
    reader, writer = await place.connect()
    try:
        head = (
            "POST /majlis.room_directory.v1.RoomService/JoinRoom HTTP/1.1\r\nHost: hall\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await reader.read(1 << 16)
        if b" 200" not in answer.split(b"\r\n", 1)[0]:
            raise ConnectionError(answer[-200:].decode(errors="replace"))
    finally:
        writer.transport.abort()


@dataclass(eq=False)
class WebSpeaker:
    """Somebody on stage who speaks a tone over a WebSocket, in a new one when it ends or says nothing back."""

    place: Place
    room_id: str
    token: str
    hertz: int
    opens: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    async def live(self) -> None:
        """For ever."""
        while True:
            try:
                await self._once()
            except LOST as error:
                self.ends[type(error).__name__] += 1
            await asyncio.sleep(random.uniform(*WAITS))

    async def _once(self) -> None:
        await join(self.place, self.room_id, self.token)
        url = f"{self.place.url.replace('http', 'ws', 1)}/speak/{self.room_id}"
        sock, header = await self.place.connected(), {"Authorization": f"Bearer {self.token}"}
        async with connect(url, sock=sock, additional_headers=header, open_timeout=5, close_timeout=1) as socket:
            await socket.send(json.dumps({"open": {}}))
            told = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            if "opened" not in told:
                self.ends[json.dumps(told)[:120]] += 1
                return
            self.opens += 1
            speaking = asyncio.ensure_future(self._speak(socket.send))
            try:
                while "ended" not in (told := json.loads(await asyncio.wait_for(socket.recv(), 5))):
                    pass
                self.ends[json.dumps(told)[:120]] += 1
            finally:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)

    async def _speak(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        async for due in spoken(self.hertz):
            await self.place.awake.wait()
            for at, packet in due:
                await send(at.to_bytes(4, "big") + packet)
