"""Listens to a room over plain HTTPS, where networks carry no other sound: a second or two behind the others."""

import asyncio
import contextlib
import http.client
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import av
from av import AudioFrame
from av.container import InputContainer

from majlis_client.backoff import Backoff
from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.http_origin import LiveBody
from majlis_client.wish import AS_SPOKEN, Wish

_AT_ONCE = {"fflags": "nobuffer", "analyzeduration": "0"}
"""Nothing is gathered to find out what the stream is: it says so at its beginning."""
_SILENT_BYTES = 2
"""A packet of Opus that is no longer has no sound in it: a head alone, and perhaps a count."""
_ENDS = {"ROOM_ENDED": "room_ended"}


class HttpsListener:
    """Sound of a room, decoded, to `on_frame`.

    Whoever has no seat takes one by listening; it is given up some time after the last stream. `on_session` is told
    when a new stream begins. Use `run`; it returns why listening ended.
    """

    def __init__(
        self,
        client: Client,
        room_id: str,
        on_frame: Callable[[AudioFrame], None],
        *,
        on_session: Callable[[], None] = lambda: None,
        wish: Wish = AS_SPOKEN,
    ) -> None:
        self.reconnects = 0
        self.entered = asyncio.Event()
        """Set once it hears."""
        self._client = client
        self._path = _path(room_id, wish)
        self._on_frame = on_frame
        self._on_session = on_session

    async def run(self) -> str:
        """Listens until room or seat end or the caller cancels; says why."""
        backoff = Backoff()
        while True:
            try:
                await self._stream()
                backoff.worked()
                self.reconnects += 1
            except MajlisError as error:
                if not backoff.failed(error):
                    return _ENDS.get(error.reason, error.reason)
            await backoff.wait()

    async def leave(self) -> None:
        """Nothing is left to give up: the server knows that the stream is over."""

    async def _stream(self) -> None:
        """One stream, to its end. Raises MajlisError for one that does not begin."""
        token = await self._client.access_token()
        stream = await self._client.server.origin.open(self._path, {"Authorization": f"Bearer {token}"})
        try:
            self.entered.set()
            self._on_session()
            await self._hear(stream)
        finally:
            stream.close()

    async def _hear(self, stream: LiveBody) -> None:
        loop, over = asyncio.get_running_loop(), False

        def hear(frame: AudioFrame) -> None:
            if not over:
                self._on_frame(frame)

        def play() -> None:
            # A stream that breaks off is over: what was heard was heard.
            with (
                contextlib.suppress(OSError, RuntimeError, http.client.HTTPException, av.error.FFmpegError),
                av.open(stream, "r", format="webm", options=_AT_ONCE) as container,
            ):
                for frame in _spoken(container):
                    loop.call_soon_threadsafe(hear, frame)

        try:
            await asyncio.to_thread(play)
        finally:
            over = True


def _spoken(container: InputContainer) -> Iterator[AudioFrame]:
    """What somebody said: packets without sound stand where nobody spoke, as nothing does in a call."""
    for packet in container.demux(container.streams.audio[0]):
        frames = packet.decode()
        if packet.size > _SILENT_BYTES:
            yield from frames


def _path(room_id: str, wish: Wish) -> str:
    said = {"language": wish.language, "understands": ",".join(wish.understands), "thrift": "1" if wish.thrift else ""}
    query = urlencode({name: value for name, value in said.items() if value}, safe=",")
    return f"/listen/{room_id}.webm" + (f"?{query}" if query else "")
