"""Runs the HTTP origin: several addresses, TLS when set, and an end without haste."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from services.common.net import PortTaken, has_ipv6, split_address
from services.common.sight.log import get_logger
from services.common.trust.certificates import CertificateFiles
from services.gateway.http.certificate import following_context
from services.gateway.http.protocol import GatewayProtocol
from services.gateway.http.sockets import SocketProtocol
from services.gateway.settings import Settings

_log = get_logger("http")

_BACKLOG = 4096
_ACCEPTED_A_TURN = 8
"""libuv accepts one connection from each listening descriptor in a turn of the loop: turns get long when a crowd comes,
and what overflows the backlog meanwhile is tried again by the other side's system only after one, three and seven
seconds. So each socket is listened to by so many descriptors."""
_IDLE_SECONDS = 60
LARGEST_MESSAGE = 16 * 1024
_PING_SECONDS = 5.0
_UNACKED = struct.Struct("=24xI")
_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: asyncio.Event) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when connections are accepted."""
        await super().startup(sockets)
        self._started.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the process has one handler for them."""
        yield


@dataclass(frozen=True, slots=True)
class BoundPort:
    """Addresses that are taken and not served yet."""

    sockets: list[socket.socket]
    port: int
    """Of the first of them."""

    def knocking(self) -> int:
        """How many connections wait to be accepted, as far as the system tells."""
        return sum(map(_queued, self.sockets))


def bind(addresses: Sequence[str]) -> BoundPort:
    """Binds every address, host:port. Raises PortTaken."""
    sockets: list[socket.socket] = []
    port = 0
    for listen in addresses:
        host, asked = split_address(listen)
        if ":" in host and sockets and not has_ipv6():
            _log.warning("this machine has no IPv6; serving without it", listen=listen)
            continue
        # Several addresses with port 0 share the port the system chose for the first.
        sockets.append(_bind(listen, host, asked or port))
        port = port or sockets[0].getsockname()[1]
    return BoundPort(sockets, port)


class HttpServer:
    """The public HTTP port."""

    def __init__(self, app: Any, bound: BoundPort, settings: Settings, certificate: CertificateFiles | None) -> None:
        self.port = bound.port
        self._sockets = [each for sock in bound.sockets for each in _times(sock, _ACCEPTED_A_TURN)]
        self._grace_seconds = settings.shutdown_grace_seconds
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        config = uvicorn.Config(
            app,
            http=GatewayProtocol,
            ws=SocketProtocol,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            ws_per_message_deflate=False,
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=int(self._grace_seconds),
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            ssl_context_factory=None if certificate is None else lambda _, make: following_context(certificate, make),
        )
        self._server = _Server(config, self._started)

    async def serve(self) -> None:
        """Serves until `stop`."""
        try:
            await self._server.serve(self._sockets)
        finally:
            self._stopped.set()

    async def wait_until_started(self) -> None:
        """Returns once connections are accepted."""
        async with asyncio.timeout(_START_SECONDS):
            await self._started.wait()

    async def wait_until_stopped(self) -> None:
        """Returns once `serve` has ended, or the grace of the settings is long over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), self._grace_seconds + 2.0)

    def stop_accepting(self) -> None:
        """Closes the listening sockets; connections stay."""
        for server in self._server.servers:
            server.close()

    def stop(self) -> None:
        """Lets requests in progress finish within the grace of the settings, then ends `serve`."""
        self._server.should_exit = True


def _queued(sock: socket.socket) -> int:
    """Of a listening socket Linux tells the length of the accept queue in tcpi_unacked."""
    if not hasattr(socket, "TCP_INFO"):
        return 0
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
    except OSError:
        # It is closed, or the sandbox knows no such option.
        return 0
    return int(_UNACKED.unpack(told)[0]) if len(told) == _UNACKED.size else 0


def _times(sock: socket.socket, count: int) -> list[socket.socket]:
    """The same socket under so many descriptors."""
    return [sock, *(sock.dup() for _ in range(count - 1))]


def _bind(listen: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise PortTaken(listen, error) from error
    sock.setblocking(False)
    return sock
