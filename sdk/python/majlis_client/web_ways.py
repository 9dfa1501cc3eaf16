"""Two ways by which sound goes up over HTTPS: a WebSocket, and pieces by POST where none opens."""

import asyncio
import contextlib
import json
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin, Line, Response, refusal
from majlis_client.reasons import kind_of

Sound = tuple[int, bytes]
"""When it was said, in samples at 48 kHz modulo 2**32, and one Opus packet."""

_OPEN_SECONDS = 5.0
_BEHIND_SAMPLES = 2 * 48_000
"""What may be on its way unconfirmed: systems hold far more, and whoever speaks would be heard that much later."""
_STUCK_SECONDS = 8.0
_GATHER_SECONDS = 0.2
_SIGN_OF_LIFE_SECONDS = 1.0
_AGAIN_SECONDS = 0.3
_GIVE_UP_SECONDS = 5.0
"""A server that had no piece for so long has ended the session."""
_MOST_WAITING = 100
_TIMES = 2**32


class Blocked(Exception):
    """No WebSocket opens on this network."""


class WebWay(Protocol):
    """An open way up."""

    relay: str

    async def send(self, sound: Sound) -> None:
        """Sends a packet on; waits while too much is on its way."""
        ...

    async def until_over(self) -> MajlisError | None:
        """Until it is over: why, or None where it was lost."""
        ...

    async def close(self) -> None:
        """Ends it."""
        ...


class SocketWay:
    """By a WebSocket."""

    def __init__(self, socket: ClientConnection, relay: str) -> None:
        self.relay = relay
        self._socket = socket
        self._heard: int | None = None
        self._confirmed = asyncio.Event()

    @classmethod
    async def open(cls, origin: HttpOrigin, room_id: str, permit: str) -> "SocketWay":
        """Raises Blocked, or MajlisError with the refusal of permit or relay."""
        url = f"{origin.url.replace('http', 'ws', 1)}/speak/{room_id}"
        socket: ClientConnection | None = None
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                socket = await connect(
                    url,
                    ssl=origin.tls(),
                    proxy=None,
                    compression=None,
                    ping_interval=2,
                    ping_timeout=5,
                    close_timeout=1,
                    max_size=16 * 1024,
                )
                await socket.send(json.dumps({"open": {"permit": permit, "form": "opus"}}))
                told = _read(await socket.recv())
        except (OSError, InvalidHandshake, ConnectionClosed, ValueError) as error:
            if socket is not None:
                await socket.close()
            raise Blocked(str(error)) from error
        if "opened" not in told:
            await socket.close()
            raise _ended(told.get("ended")) or Blocked("something else answered")
        return cls(socket, str(told["opened"].get("relay_id", "")))

    async def send(self, sound: Sound) -> None:
        at, packet = sound
        async with asyncio.timeout(_STUCK_SECONDS):
            if self._heard is None:
                # What is said first is what the first word of what came is about.
                self._heard = at
            while (at - self._heard) % _TIMES > _BEHIND_SAMPLES:
                self._confirmed.clear()
                await self._confirmed.wait()
            await self._socket.send(at.to_bytes(4, "big") + packet)

    async def until_over(self) -> MajlisError | None:
        with contextlib.suppress(ConnectionClosed, ValueError):
            async for message in self._socket:
                told = _read(message)
                if "ended" in told:
                    return _ended(told["ended"])
                if isinstance(told.get("heard"), int):
                    self._heard = told["heard"]
                    self._confirmed.set()
        return None

    async def close(self) -> None:
        await self._socket.close()


class PiecesWay:
    """By numbered pieces, one request after the other."""

    def __init__(self, line: Line, location: str, relay: str) -> None:
        self.relay = relay
        self._line = line
        self._location = location
        self._waiting: list[Sound] = []
        self._taken = asyncio.Event()

    @classmethod
    async def open(cls, origin: HttpOrigin, room_id: str, permit: str) -> "PiecesWay":
        """Raises MajlisError."""
        line = origin.line()
        try:
            headers = {"Authorization": f"Bearer {permit}"}
            answer = await line.request("POST", f"/speak/{room_id}/pieces?form=opus", headers)
            location = _location(answer, room_id)
        except BaseException:
            line.close()
            raise
        return cls(line, location, str(_said(answer).get("relay_id", "")))

    async def send(self, sound: Sound) -> None:
        async with asyncio.timeout(_STUCK_SECONDS):
            while len(self._waiting) >= _MOST_WAITING:
                self._taken.clear()
                await self._taken.wait()
        self._waiting.append(sound)

    async def until_over(self) -> MajlisError | None:
        number, loop = 0, asyncio.get_running_loop()
        sent_at = loop.time()
        while True:
            await asyncio.sleep(_GATHER_SECONDS)
            if not self._waiting and loop.time() - sent_at < _SIGN_OF_LIFE_SECONDS:
                continue
            waiting, self._waiting = self._waiting, []
            self._taken.set()
            answer = await self._put(number, b"".join(map(_with_length, waiting)))
            if answer is None:
                return None
            if answer.status != 200:
                return refusal(answer)
            number, sent_at = number + 1, loop.time()

    async def close(self) -> None:
        # The server ends by itself a session of which nothing more comes.
        with contextlib.suppress(MajlisError, TimeoutError):
            async with asyncio.timeout(2):
                await self._line.request("DELETE", self._location, {})
        self._line.close()

    async def _put(self, number: int, body: bytes) -> Response | None:
        """One piece, again where no answer came: it is not said twice. None once that is hopeless."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _GIVE_UP_SECONDS
        while True:
            try:
                answer = await self._line.request("POST", f"{self._location}/{number}", {}, body)
                if answer.status not in {502, 504}:
                    return answer
            except MajlisError:
                pass
            if loop.time() > until:
                return None
            await asyncio.sleep(_AGAIN_SECONDS)


def _location(answer: Response, room_id: str) -> str:
    """Where pieces go. Raises MajlisError."""
    if answer.status != 201:
        raise refusal(answer)
    location = answer.headers.get("location", "")
    if not location.startswith(f"/speak/{room_id}/pieces/"):
        raise MajlisError("unavailable", "UNREACHABLE", "something else answered for the server")
    return location


def _with_length(sound: Sound) -> bytes:
    at, packet = sound
    return (len(packet) + 4).to_bytes(2, "big") + at.to_bytes(4, "big") + packet


def _read(message: str | bytes) -> dict[str, Any]:
    """Raises ValueError for what our server never says."""
    told = json.loads(message)
    if not isinstance(told, dict):
        raise ValueError("the server says objects")  # noqa: TRY004 (a value)
    return told


def _said(answer: Response) -> dict[str, Any]:
    try:
        return _read(answer.body)
    except ValueError:
        return {}


def _ended(told: Any) -> MajlisError | None:
    if not isinstance(told, dict):
        return None
    reason = str(told.get("reason", ""))
    return MajlisError(kind_of(reason) or "unavailable", reason, str(told.get("message", "")))
