"""Rows of hands: a hundred a second in a room of 5,000 streams, as the streams of three moderators bring them."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from majlis.room_directory.v1 import stage_service_pb2
from majlis_client import Client, FixedToken

from tests.load.crowd import person_of
from tests.load.house import House, open_house
from tests.load.machine import Cost, cost
from tests.load.rows import Row, row

LISTENERS = 5000
MODERATORS = 3
HANDS_PER_SECOND = 100
WINDOW_SECONDS = 60
JOINS_AT_ONCE = 20
CALLERS = 64
"""Connections that raise hands, one call at a time each."""
LAST_SECONDS = 5.0
"""What was not brought by then counts as lost."""
_RAISED = re.compile(rb'"handRaised":.{0,400}?"userId":"([a-z0-9]+)"', re.DOTALL)
_PERSON = re.compile(rb'"userId":"([a-z0-9]+)"')
_PARTS = ("room_directory", "gateway")


@dataclass(slots=True)
class Raised:
    """When each hand was asked to go up, and how long it took to the streams."""

    asked_at: dict[str, float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    refused: int = 0


class Watcher(asyncio.Protocol):
    """Takes a seat and holds a stream; what comes on it goes to `take`."""

    def __init__(self, room_id: str, token: str, path: str, take: Callable[[bytes], None] | None) -> None:
        self.watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room_id = room_id
        self._token = token
        self._path = path
        self._take = take
        self._rest = b""
        self._joined = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        body = {"roomId": self._room_id, "withoutPermit": True}
        transport.write(call("RoomService/JoinRoom", self._token, body))

    def data_received(self, data: bytes) -> None:
        if not self._joined:
            self._rest += data
            if whole(self._rest):
                self._joined, self._rest = True, b""
                self._transport.write(f"GET /{self._path} HTTP/1.1\r\n{head(self._token)}\r\n".encode())
            return
        if not self.watching.done():
            self.watching.set_result(None)
        if self._take is not None:
            self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.watching.done():
            self.watching.set_exception(ConnectionError("a stream ended before it began"))

    def close(self) -> None:
        self._transport.abort()


class Moderator:
    """Notes when each hand came to one moderator's stream."""

    def __init__(self, raised: Raised) -> None:
        self._raised = raised
        self._rest = b""
        self._seen: set[str] = set()

    def take(self, data: bytes) -> None:
        """What came on the stream."""
        raised, now, text = self._raised, time.monotonic(), self._rest + data
        *events, self._rest = text.split(b"\n\n")
        for event in events:
            # Whoever was behind gets the queue whole, in place of what it lacks.
            people = _PERSON.findall(event) if b'"handQueue"' in event else _RAISED.findall(event)[:1]
            for person in {each.decode() for each in people} - self._seen:
                self._seen.add(person)
                if person in raised.asked_at:
                    raised.took.append(now - raised.asked_at[person])


def head(token: str) -> str:
    """The headers of every request."""
    return f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"


def call(path: str, token: str, body: dict[str, object]) -> bytes:
    """A Connect call with JSON, as HTTP/1.1 carries it."""
    text = json.dumps(body)
    kind = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return f"POST /majlis.room_directory.v1.{path} HTTP/1.1\r\n{head(token)}{kind}\r\n{text}".encode()


def whole(answer: bytes) -> bool:
    """Whether an answer with a length is there to its end."""
    top, separator, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", top.lower())
    return bool(separator) and length is not None and len(body) >= int(length.group(1))


@asynccontextmanager
async def watching(
    house: House,
    tokens: list[str],
    raised: Raised | None = None,
    *,
    path: str = "",
    take: Callable[[bytes], None] | None = None,
) -> AsyncIterator[None]:
    """People in the room, each with a stream of its events or the one at `path`; with `raised` they moderate."""
    origin, loop = urlsplit(house.stack.url), asyncio.get_running_loop()
    free = asyncio.Semaphore(JOINS_AT_ONCE)
    watchers: list[Watcher] = []

    async def come(token: str) -> None:
        async with free:
            taking = take if raised is None else Moderator(raised).take
            watcher = Watcher(house.room_id, token, path or f"events/{house.room_id}", taking)
            await loop.create_connection(lambda: watcher, origin.hostname or "", origin.port or 0)
            watchers.append(watcher)
            await asyncio.wait_for(watcher.watching, 30)

    try:
        await asyncio.gather(*map(come, tokens))
        yield
    finally:
        for watcher in watchers:
            watcher.close()


async def raise_hands(house: House, tokens: list[str], raised: Raised, rate: float) -> None:
    """Each of these people raises a hand, so many a second."""
    origin = urlsplit(house.stack.url)
    waiting: asyncio.Queue[str] = asyncio.Queue()

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(origin.hostname, origin.port)
        try:
            while True:
                token = await waiting.get()
                raised.asked_at[person_of(token)] = time.monotonic()
                question: dict[str, object] = {"roomId": house.room_id, "question": "How do you test rockets?"}
                writer.write(call("StageService/RaiseHand", token, question))
                answer = b""
                while not whole(answer):
                    answer += await reader.read(65536)
                raised.refused += not answer.startswith(b"HTTP/1.1 200")
                waiting.task_done()
        finally:
            writer.close()

    callers = [asyncio.create_task(caller()) for _ in range(CALLERS)]
    began = time.monotonic()
    for number, token in enumerate(tokens):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        waiting.put_nowait(token)
    await asyncio.wait_for(waiting.join(), 30)
    for each in callers:
        each.cancel()
    await asyncio.gather(*callers, return_exceptions=True)


async def lead_too(house: House, guest: str) -> None:
    """A guest comes on stage and moderates."""
    await house.bring_up(guest)
    async with await Client.connect(house.stack.url, FixedToken(house.speaker)) as leader:
        request = stage_service_pb2.MakeModeratorRequest(room_id=house.room_id, user_id=person_of(guest))
        await leader.stage.MakeModerator(request)


async def hand_rows(
    folder: Path, listeners: int = LISTENERS, rate: float = HANDS_PER_SECOND, seconds: float = WINDOW_SECONDS
) -> list[Row]:
    """Everybody watches; as many as it takes raise a hand once, and the moderators' streams tell of each."""
    count, raised = round(rate * seconds), Raised()
    limits = {"ROOM_DIRECTORY_HAND_LIMIT": str(count + 1), "ROOM_DIRECTORY_LISTENER_LIMIT": str(listeners + count)}
    async with open_house(folder, **limits) as house, AsyncExitStack() as open_streams:
        others = house.guests(MODERATORS - 1)
        for guest in others:
            await lead_too(house, guest)
        people = house.guests(max(listeners, count))
        await open_streams.enter_async_context(watching(house, people[:listeners]))
        # Who raises a hand without a stream has a seat all the same.
        async with watching(house, people[listeners:]):
            pass
        await open_streams.enter_async_context(watching(house, [house.speaker, *others], raised))
        await asyncio.sleep(3)
        before, began = {name: cost(house.stack.pid(name)) for name in _PARTS}, time.monotonic()
        # Those without a stream first: their seats are given up after a minute.
        await raise_hands(house, people[: -count - 1 : -1], raised, rate)
        spent = {name: cost(house.stack.pid(name)).since(before[name]) for name in _PARTS}
        elapsed = time.monotonic() - began
        await asyncio.sleep(LAST_SECONDS)
        return _rows(raised, spent, elapsed, count)


def _rows(raised: Raised, spent: dict[str, Cost], elapsed: float, count: int) -> list[Row]:
    took = sorted(raised.took)
    lost = count * MODERATORS - len(took)
    middle, worst = (took[int(len(took) * share)] * 1000 if took else None for share in (0.5, 0.99))
    pace = f"{count / elapsed:.0f} hands/s for {elapsed:.0f} s, {raised.refused} refused"
    told = f"p50 {middle or 0:.0f} ms from the call to {MODERATORS} moderators' streams, {lost} not brought"
    return [
        row("hand_p99_ms", None if lost else worst, "ms", f"{told}; {pace}"),
        row("directory_ms_per_hand", spent["room_directory"].total * 1000 / count, "ms CPU", pace),
        row("gateway_cores_hands", spent["gateway"].total / elapsed, "cores", "calls, streams and counts to all"),
    ]
