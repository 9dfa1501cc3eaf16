"""A room's events as server-sent events, one shared encoding for all readers."""

from dataclasses import dataclass

from services.common.trust.tokens import AccessToken
from services.gateway.http.asgi import Connection, Header, Request, Send
from services.gateway.http.streaming import (
    HEADERS,
    Admission,
    after,
    asks_for_speakers,
    bound,
    first_word,
    last_word,
    once,
    part,
)
from services.gateway.watch.frames import Frame
from services.gateway.watch.streams import Watching
from services.gateway.watch.subscriber import Sink, Subscriber

_PREFIX = "/events/"


@dataclass(frozen=True, slots=True)
class Events:
    """Serves GET /events/<room>; with `?once=1` it answers what the reader lacks now and ends.

    With `?speakers=1` it tells who speaks as well.
    """

    admission: Admission
    watching: Watching

    async def admit(self, request: Request) -> tuple[AccessToken, str, int | None]:
        """Who wants to watch, which room, and after which revision. Raises what keeps them out."""
        access, room_id = await self.admission.admit(request, _PREFIX)
        return access, room_id, after(request)

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        """Streams until seat, sign-in, room, client or gateway ends it. Raises only before the first byte."""
        access, room_id, has = await self.admit(request)
        asks_once = once(request)
        subscriber = await self.watching.watch(access, room_id, has, speakers=asks_for_speakers(request))
        subscriber.lingers = asks_once
        try:
            if asks_once:
                await self._answer(subscriber, send, headers)
            else:
                await self._stream(subscriber, request, send, headers)
        finally:
            self.watching.leave(subscriber)

    async def _answer(self, subscriber: Subscriber, send: Send, headers: tuple[Header, ...]) -> None:
        """What the reader lacks, and the end: for one that asks from time to time and holds no connection."""
        text = b"".join([frame.sse for frame in await subscriber.take()])
        if subscriber.ended:
            text += last_word(subscriber, is_draining=self.watching.is_draining)
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
        await send({"type": "http.response.body", "body": text, "more_body": False})

    async def _stream(self, subscriber: Subscriber, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
        await send(part(first_word()))
        with bound(subscriber, request.connection):
            subscriber.sink = None if request.connection is None else _sink(request.connection)
            try:
                while frames := await subscriber.take():
                    await send(part(b"".join([frame.sse for frame in frames])))
            finally:
                subscriber.sink = None
            await send(part(last_word(subscriber, is_draining=self.watching.is_draining)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _sink(connection: Connection) -> Sink:
    def write(frame: Frame) -> bool:
        return connection.write_chunk(frame.chunk)

    return write
