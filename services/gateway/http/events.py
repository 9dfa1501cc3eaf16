"""A room's events as server-sent events (WHATWG HTML §9.2), one shared encoding for all readers."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.errors import NotSignedIn
from services.common.ids import is_id
from services.common.trust.tokens import AccessToken
from services.gateway.call.identity import Identities
from services.gateway.domain.errors import BodyInvalid, FellBehind
from services.gateway.http.asgi import Connection, Header, Request, Send
from services.gateway.http.caller import Callers
from services.gateway.watch.frames import Frame
from services.gateway.watch.streams import Watching
from services.gateway.watch.subscriber import Subscriber

SCOPE = "listen"
_RETRY_MILLISECONDS = (500, 3000)
"""Each stream is told another wait: those that lose a gateway together do not come back together."""
_DRAIN_RETRY_MILLISECONDS = 10_000
_BUFFER_BYTES = 16 * 1024
_LAST_WORD_SECONDS = 3.0
_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Reverse proxies must pass events on as they come.
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True, slots=True)
class Events:
    """Serves GET /events/<room>; with `?once=1` it answers what the reader lacks now and ends."""

    callers: Callers
    identities: Identities
    watching: Watching

    async def admit(self, request: Request) -> tuple[AccessToken, str, int | None]:
        """Who wants to watch, which room, and after which revision. Raises what keeps them out."""
        caller = self.callers.identify(request)
        if caller.shown is None:
            raise NotSignedIn("events are for people who are signed in")
        room_id = request.path.removeprefix("/events/")
        if not is_id(room_id):
            raise BodyInvalid("the path must be /events/ and a room's id")
        access = await self.identities.bearer(caller.shown, caller.network, SCOPE)
        return access, room_id, _after(request)

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        """Streams until seat, sign-in, room, client or gateway ends it. Raises only before the first byte."""
        access, room_id, after = await self.admit(request)
        once = _once(request)
        subscriber = await self.watching.watch(access, room_id, after)
        subscriber.lingers = once
        try:
            if once:
                await self._answer(subscriber, send, headers)
            else:
                await self._stream(subscriber, request, send, headers)
        finally:
            self.watching.leave(subscriber)

    async def _answer(self, subscriber: Subscriber, send: Send, headers: tuple[Header, ...]) -> None:
        """What the reader lacks, and the end: for one that asks from time to time and holds no connection."""
        text = b"".join([frame.sse for frame in await subscriber.take()])
        if subscriber.ended:
            text += self._last_word(subscriber)
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
        await send({"type": "http.response.body", "body": text, "more_body": False})

    async def _stream(self, subscriber: Subscriber, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
        await send(_part(b"retry: %d\n\n" % random.randint(*_RETRY_MILLISECONDS)))  # noqa: S311 (jitter)
        with _bound(subscriber, request.connection):
            while frames := await subscriber.take():
                await send(_part(b"".join([frame.sse for frame in frames])))
            await send(_part(self._last_word(subscriber)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _last_word(self, subscriber: Subscriber) -> bytes:
        if isinstance(subscriber.why, FellBehind):
            return b"event: resync\ndata: " + _reason("FELL_BEHIND") + b"\n\n"
        if subscriber.why is not None:
            return b"event: end\ndata: " + _reason(subscriber.why.reason) + b"\n\n"
        if self.watching.is_draining:
            # Everyone comes back, not all at once.
            wait = random.randint(0, _DRAIN_RETRY_MILLISECONDS)  # noqa: S311 (jitter)
            return b"retry: %d\nevent: draining\ndata: {}\n\n" % wait
        return b"event: end\ndata: " + _reason("ROOM_ENDED") + b"\n\n"


@contextmanager
def _bound(subscriber: Subscriber, connection: Connection | None) -> Iterator[None]:
    """Ends the reader with its connection, and drops the connection of a reader that ended but takes nothing."""
    if connection is None:
        yield
        return
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def on_end() -> None:
        timers.append(loop.call_later(_LAST_WORD_SECONDS, connection.abort))

    def write(frame: Frame) -> bool:
        return connection.write_chunk(frame.chunk)

    connection.on_lost = subscriber.end
    connection.limit_buffer(_BUFFER_BYTES)
    subscriber.on_end = on_end
    subscriber.sink = write
    if connection.is_lost:
        subscriber.end()
    elif subscriber.ended:
        on_end()
    try:
        yield
    finally:
        connection.on_lost = None
        subscriber.sink = None
        for timer in timers:
            timer.cancel()


def _after(request: Request) -> int | None:
    """The last revision the client has: its Last-Event-ID, or `?after=`. Raises BodyInvalid for what is no number."""
    text = request.header(b"last-event-id") or request.query().get("after", b"").decode("latin-1")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 20:
        raise BodyInvalid("the last event id is a number")
    return int(text)


def _once(request: Request) -> bool:
    """Whether the client wants an answer instead of a stream. Raises BodyInvalid for anything but 0 and 1."""
    text = request.query().get("once", b"0")
    if text not in (b"0", b"1"):
        raise BodyInvalid("once is 0 or 1")
    return text == b"1"


def _part(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}


def _reason(reason: str) -> bytes:
    return json.dumps({"reason": reason}).encode()
