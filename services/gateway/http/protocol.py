"""uvicorn's HTTP/1.1 protocol with what a public port needs besides: deadlines and limits for request heads."""

import asyncio
import contextlib
import fcntl
import re
import socket
import sys
import termios
from collections.abc import Callable
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEAD_DEADLINE_SECONDS = 10.0
LARGEST_HEAD_BYTES = 32 * 1024
_STREAM_SEND_BUFFER_BYTES = 32 * 1024
_DEAD_PEER_MILLISECONDS = 20_000
_TOO_LARGE = b"431 Request Header Fields Too Large"
_MOST_DRAINED_BYTES = 1024 * 1024
MOST_KEPT_OPEN = 2000
"""Beyond so many connections, but for streams, each ends with its answer: one that idles costs some ten kilobytes."""
MOST_KEPT_BRIEFLY = 6000
"""Until there are so many, whoever was given something to read is waited for a moment: what a page asks for next would
otherwise come by a new connection, which costs more than the answer."""
_BRIEF_SECONDS = 2
_NUMBER = bytes(4)
SOCKETS = b"/speak/"
"""Where paths begin that WebSockets are taken at."""
# uri-host and port of RFC 3986 §3.2; it may be empty.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.%a-z_~-]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(?::\d{0,5})?")


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

    brief_now: ClassVar[int] = 0
    """Connections of this process that carry no stream."""
    _is_brief = True
    on_lost: Callable[[], None] | None = None
    is_lost = False
    _descriptor: int | None = None
    """Of its socket, once it carries a stream."""
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _in_body = False
    _drained = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request's head has ten seconds to arrive."""
        super().connection_made(transport)
        GatewayProtocol.brief_now += 1
        self._gathering = GatheringTransport(transport, self.loop)
        self.transport = cast("asyncio.Transport", self._gathering)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells a stream that its reader is gone, which it would otherwise learn only by writing."""
        self._stop_timer()
        # uvicorn leaves its own timer after a reset, and with it everything of the connection for a minute.
        self._unset_keepalive_if_required()
        self._count_out()
        super().connection_lost(exc)
        self.is_lost = True
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. What is no HTTP, or a head that is too large, is answered once and ends the connection."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._await_head()
        elif self._in_body and self.cycle.response_complete:
            self._drain(len(data))
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._stop_timer()
                self._count_out()
                self.handle_websocket_upgrade()
                return
            # Offers of another protocol are passed over: the request was answered, and nothing follows it here.
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            bad = cause if isinstance(cause, _BadHead) else _BadHead("This is not HTTP.")
            self._end_with(bad.status, str(bad).encode() + b"\n")
            return
        if self._in_head and self._head_bytes > LARGEST_HEAD_BYTES:
            self._end_with(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        scope: Any = self.scope
        scope["majlis.connection"] = self

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header; fields behind a chunked body are not headers (RFC 9110 §6.5.1) and go unread."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is complete; its handler has the word."""
        version = self.parser.get_http_version()
        _check_head(self.url, self.headers, version)
        self._stop_timer()
        self._in_head, self._in_body = False, True
        self._head_bytes = self._drained = 0
        if version == "1.0":
            # It would take the interim response for the response (RFC 9110 §10.1.1).
            self.expect_100_continue = False
        super().on_headers_complete()
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        if self.parser.should_upgrade() or (self.brief_now > MOST_KEPT_OPEN and not self._is_waited_for()):
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        """Only who speaks is offered a WebSocket; to others it is passed over."""
        return self.url.startswith(SOCKETS) and super()._should_upgrade()

    def _is_waited_for(self) -> bool:
        if self.parser.get_method() != b"GET" or self.brief_now > MOST_KEPT_BRIEFLY:
            return False
        self.timeout_keep_alive = _BRIEF_SECONDS
        return True

    def on_message_complete(self) -> None:
        """The request is whole; the next head may come."""
        super().on_message_complete()
        self._in_head, self._in_body = True, False
        self._stop_timer()

    def on_response_complete(self) -> None:
        """Until the next head's first byte the keep-alive time-out counts; a body nobody read has ten seconds."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing() and self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_DEADLINE_SECONDS, self._close)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = close_delimited(app, cycle)
        super()._start_asgi_task(cycle, app)

    def abort(self) -> None:
        """Drops the connection with what was not sent yet."""
        self.transport.abort()

    def write_chunk(self, chunk: bytes) -> bool:
        """Writes one encoded chunk of the chunked response under way; False when that would have to wait.

        A room's event goes out to thousands at once: this spares each of them a task switch and an encoding.
        """
        if self.flow.write_paused or self.transport.is_closing() or self.scope["http_version"] == "1.0":
            return False
        self._gathering.write_now(chunk)
        return True

    def write_newest(self, data: bytes, chunk: bytes, most_waiting: int) -> bool:
        """Writes a piece of a live stream, as it is or as a chunk; False when more bytes than that wait already.

        Those that wait are with the system, which tells of them: nothing is left to TLS or the loop to keep, so that
        nobody hears what was said long ago.
        """
        if self.flow.write_paused or self.transport.is_closing() or self._unconfirmed() > most_waiting:
            return False
        self._gathering.write_now(data if self.scope["http_version"] == "1.0" else chunk)
        return True

    def _unconfirmed(self) -> int:
        """Bytes that the other side has not confirmed, as Linux tells it of a socket; elsewhere what the loop keeps."""
        if self._descriptor is None:
            return self.transport.get_write_buffer_size()
        try:
            return int.from_bytes(fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, _NUMBER), sys.byteorder)
        except OSError:
            # It is being closed.
            return sys.maxsize

    def limit_buffer(self, size: int) -> None:
        """Makes sending wait once `size` bytes are not sent, bounds the kernel's share, and notices dead peers."""
        self._count_out()
        if self.transport.is_closing():
            # Its reader went while the stream was made: there is nothing left to bound, and a closed transport refuses.
            return
        self.transport.set_write_buffer_limits(high=size)
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            self._descriptor = raw.fileno() if sys.platform == "linux" else None
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _STREAM_SEND_BUFFER_BYTES)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MILLISECONDS)

    def _count_out(self) -> None:
        """It carries a stream now, or is gone."""
        if self._is_brief:
            self._is_brief = False
            GatewayProtocol.brief_now -= 1

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_DEADLINE_SECONDS, self._head_too_slow)

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self._in_head and self._head_bytes:
            self._end_with(b"408 Request Timeout")
        else:
            # It never asked: browsers keep spare connections, and would take an answer for that to their next request.
            self._close()

    def _drain(self, size: int) -> None:
        """Passes over the rest of a body whose request was answered already, within bounds."""
        self._drained += size
        if self._drained > _MOST_DRAINED_BYTES:
            self._close()

    def _end_with(self, status: bytes, text: bytes = b"") -> None:
        """A response without a request to belong to, unless another response is under way, and the end."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            head = b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\n" % status
            head += b"content-length: %d\r\n" % len(text)
            self.transport.write(head + b"connection: close\r\n\r\n" + text)
        self.transport.close()

    def _close(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _BadHead(Exception):
    """A head that RFC 9112 has a server refuse; the text is for the client."""

    def __init__(self, why: str, status: bytes = b"400 Bad Request") -> None:
        super().__init__(why)
        self.status = status


def _check_head(url: bytes, headers: list[tuple[bytes, bytes]], version: str) -> None:
    """Raises _BadHead as RFC 9112 §3.2 asks for, and for heads that two readers may take for different requests."""
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > LARGEST_HEAD_BYTES:
        raise _BadHead("The head of a request may have 32 KiB.", _TOO_LARGE)
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version != "1.0"):
        raise _BadHead("A request has one Host header.")
    if hosts and _HOST.fullmatch(hosts[0].strip()) is None:
        raise _BadHead("The Host header is no host.")
    if version == "1.0" and any(name == b"transfer-encoding" for name, _ in headers):
        raise _BadHead("HTTP/1.0 has no transfer codings.")


def close_delimited(app: Any, cycle: RequestResponseCycle) -> Any:
    """An application for a client of HTTP/1.0, which knows no chunks: what has no length ends with the connection."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        is_raw = False

        async def plain(message: Any) -> None:
            nonlocal is_raw
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                bodyless = message["status"] in (204, 304) or scope["method"] == "HEAD"
                is_raw = b"content-length" not in names and not bodyless
            if not is_raw:
                await send(message)
            elif message["type"] == "http.response.start":
                cycle.response_started = True
                lines = [b"%s: %s\r\n" % header for header in message["headers"]]
                start = STATUS_LINE[message["status"]] + b"".join(lines) + b"connection: close\r\n\r\n"
                cycle.transport.write(start)
            else:
                await _write_raw(cycle, message)

        await app(scope, receive, plain)

    return serve


async def _write_raw(cycle: RequestResponseCycle, message: Any) -> None:
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.transport.write(message.get("body", b""))
    if not message.get("more_body", False):
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.transport.close()
        cycle.on_response()
