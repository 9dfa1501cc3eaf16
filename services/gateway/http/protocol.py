"""uvicorn's HTTP/1.1 protocol with what a public port needs besides: deadlines and limits for request heads."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_DEADLINE_SECONDS = 10.0
LARGEST_HEAD_BYTES = 32 * 1024
_STREAM_SEND_BUFFER_BYTES = 32 * 1024
_DEAD_PEER_MILLISECONDS = 20_000


class GatheringTransport:
    """A transport that sends what one turn of the loop writes at once.

    The head of a response and its body, or the first events of a stream, are then one system call and one packet
    instead of several: with small responses these are most of what a request costs.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends the data when this turn of the loop is over."""
        if not self._gathered:
            self._loop.call_soon(self._send)
        self._gathered.append(data)

    def write_now(self, data: bytes) -> None:
        """Sends the data, after what was written before it."""
        self._send()
        self._transport.write(data)

    def close(self) -> None:
        """Closes once everything is sent."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Drops the connection with what was not sent yet."""
        self._gathered.clear()
        self._transport.abort()

    def _send(self) -> None:
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            if not self._transport.is_closing():
                self._transport.write(data)


class GatewayProtocol(HttpToolsProtocol):
    """One connection; it is the `majlis.connection` of its requests' scopes."""

    on_lost: Callable[[], None] | None = None
    is_lost = False
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request's head has ten seconds to arrive."""
        super().connection_made(transport)
        self._gathering = GatheringTransport(transport, self.loop)
        self.transport = cast("asyncio.Transport", self._gathering)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells a stream that its reader is gone, which it would otherwise learn only by writing."""
        self._stop_timer()
        super().connection_lost(exc)
        self.is_lost = True
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; a head that is too large ends the connection."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._await_head()
        super().data_received(data)
        if self._in_head and self._head_bytes > LARGEST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        scope: Any = self.scope
        scope["majlis.connection"] = self

    def on_headers_complete(self) -> None:
        """A head is complete; its handler has the word."""
        self._stop_timer()
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The next head may come; until its first byte the keep-alive time-out counts."""
        self._in_head = True
        super().on_response_complete()

    def abort(self) -> None:
        """Drops the connection with what was not sent yet."""
        self.transport.abort()

    def write_chunk(self, chunk: bytes) -> bool:
        """Writes one encoded chunk of the chunked response under way; False when that would have to wait.

        A room's event goes out to thousands at once: this spares each of them a task switch and an encoding.
        """
        if self.flow.write_paused or self.transport.is_closing():
            return False
        self._gathering.write_now(chunk)
        return True

    def limit_buffer(self, size: int) -> None:
        """Makes sending wait once `size` bytes are not sent, bounds the kernel's share, and notices dead peers."""
        self.transport.set_write_buffer_limits(high=size)
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _STREAM_SEND_BUFFER_BYTES)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MILLISECONDS)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_DEADLINE_SECONDS, self._head_too_slow)

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
