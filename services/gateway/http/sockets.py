"""uvicorn's WebSocket protocol with bounds for what is no message: pings, fragments, and what nobody reads."""

import asyncio
import contextlib
import socket
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from services.common.limits import TokenBuckets

_DEAD_PEER_MILLISECONDS: Final = 20_000
_MOST_UNREAD_BYTES: Final = 64 * 1024
_MOST_FRAGMENTS: Final = 256
_FRAMES_A_SECOND: Final = 200
_BURST_FRAMES: Final = 2000
"""As for messages: who was stalled for ten seconds sends all at once, and a proxy may have cut each in two."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. Messages wait until they are read; all else is counted here, and too much ends the connection."""

    _flow: TokenBuckets

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer that takes nothing for twenty seconds is gone, whether or not its system still answers."""
        super().connection_made(transport)
        self._flow = TokenBuckets(_BURST_FRAMES, _FRAMES_A_SECOND, max_keys=1)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MILLISECONDS)

    def handle_ping(self) -> None:
        """Answers, unless the answers are not read."""
        if self._may_go_on() and self.transport.get_write_buffer_size() <= _MOST_UNREAD_BYTES:
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_pong(self, event: Frame) -> None:
        """Also who sends pongs that nobody asked for is counted."""
        if self._may_go_on():
            super().handle_pong(event)
        else:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        """The next fragment of a message, of which there may be some."""
        if self._may_go_on() and len(self.frames) < _MOST_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """What comes after the end is read by nobody."""
        if self.close_sent and not self._may_go_on():
            self.transport.abort()
            return
        super().send_receive_event_to_app()

    def _may_go_on(self) -> bool:
        return not self.transport.is_closing() and self._flow.take("", self.loop.time()) <= 0
