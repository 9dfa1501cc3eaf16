"""The captions of a room as server-sent events."""

import asyncio
from dataclasses import dataclass

from services.gateway.call.local_rpcs import CAPTION_LANGUAGE
from services.gateway.domain.errors import BodyInvalid
from services.gateway.http.asgi import Connection, Header, Request, Send
from services.gateway.http.streaming import HEADERS, Admission, after, bound, first_word, last_word, once, part
from services.gateway.watch.caption_track import Batch
from services.gateway.watch.captions import CaptionReader, Sink
from services.gateway.watch.streams import HEARTBEAT_SECONDS, Watching
from services.gateway.watch.subscriber import LONGEST_WAIT_SECONDS

_PREFIX = "/captions/"
_STILL_HERE = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Captions:
    """Serves GET /captions/<room>?language=<language>; with `?once=1` it answers what the reader lacks now and ends."""

    admission: Admission
    watching: Watching

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        """Streams until seat, sign-in, room, client or gateway ends it. Raises only before the first byte."""
        access, room_id = await self.admission.admit(request, _PREFIX)
        language = request.words("language", "after", "once").get("language", b"").decode("latin-1")
        if not CAPTION_LANGUAGE.match(language):
            raise BodyInvalid("language is two or three small letters, or floor")
        has, asks_once = after(request) or 0, once(request)
        reader = await self.watching.watch_captions(access, room_id, language, has)
        reader.lingers = asks_once
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
            if asks_once:
                batch = await reader.take()
                text = self._last_word(reader) if batch is None else batch.sse
                await send({"type": "http.response.body", "body": text, "more_body": False})
            else:
                await self._stream(reader, request, send)
        finally:
            self.watching.leave(reader)

    async def _stream(self, reader: CaptionReader, request: Request, send: Send) -> None:
        await send(part(first_word()))
        with bound(reader, request.connection):
            reader.sink = None if request.connection is None else _sink(request.connection)
            while True:
                try:
                    batch: Batch | None = await asyncio.wait_for(reader.take(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    await send(part(_STILL_HERE))
                    continue
                if batch is None:
                    break
                try:
                    async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                        await send(part(batch.sse))
                except TimeoutError:
                    # It takes nothing, and nothing waits for it: it may come again.
                    reader.end()
                    if request.connection is not None:
                        request.connection.abort()
                    return
            reader.sink = None
            await send(part(self._last_word(reader)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _last_word(self, reader: CaptionReader) -> bytes:
        return last_word(reader, is_draining=self.watching.is_draining)


def _sink(connection: Connection) -> Sink:
    def write(batch: Batch) -> bool:
        return connection.write_chunk(batch.chunk)

    return write
