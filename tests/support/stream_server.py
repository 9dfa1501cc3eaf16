"""A TCP server of a test whose conversations are over, and their sockets closed, when it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_PATIENCE_SECONDS = 5.0


class StreamServer:
    """`asyncio.start_server` stops listening when it is closed, and leaves who is being served to themselves."""

    def __init__(self, talk: Conversation, host: str = "127.0.0.1", limit: int = 65_536) -> None:
        self._talk = talk
        self._host = host
        self._limit = limit
        """Bytes that a conversation may leave unread."""
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, 0, limit=self._limit)

    async def stop(self) -> None:
        """Nobody is served any more when this returns; what somebody was being told is cut off."""
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await writer.wait_closed()
            self._talks.discard(talk)


@asynccontextmanager
async def stream_server(
    talk: Conversation, host: str = "127.0.0.1", limit: int = 65_536
) -> AsyncIterator[StreamServer]:
    """One that is open meanwhile, on a port of loopback or of `host`."""
    server = StreamServer(talk, host, limit)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
