"""Runs the HTTP origin: several addresses, TLS when set, and an end without haste."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from services.common.net import PortTaken, has_ipv6, split_address
from services.common.sight.log import get_logger
from services.gateway.http.certificate import following_context, public_certificate
from services.gateway.http.protocol import GatewayProtocol
from services.gateway.settings import Settings

_log = get_logger("http")

_BACKLOG = 4096
_IDLE_SECONDS = 60
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


class HttpServer:
    """The public HTTP port."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sockets: list[socket.socket] = []
        self._server: _Server | None = None
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()

    def bind(self) -> int:
        """Binds every address and returns the first one's port. Raises PortTaken, SettingsError for the certificate."""
        public_certificate(self._settings)
        port = 0
        for listen in self._settings.listen:
            host, asked = split_address(listen)
            if ":" in host and self._sockets and not has_ipv6():
                _log.warning("this machine has no IPv6; serving without it", listen=listen)
                continue
            # Several addresses with port 0 share the port the system chose for the first.
            self._sockets.append(_bind(listen, host, asked or port))
            port = port or self._sockets[0].getsockname()[1]
        return port

    async def serve(self, app: Any) -> None:
        """Serves an ASGI application until `stop`."""
        files = public_certificate(self._settings)
        config = uvicorn.Config(
            app,
            http=GatewayProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=int(self._settings.shutdown_grace_seconds),
            ssl_certfile=self._settings.tls_cert,
            ssl_keyfile=self._settings.tls_key,
            ssl_context_factory=None if files is None else lambda _, make: following_context(files, make),
        )
        self._server = _Server(config, self._started)
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
            await asyncio.wait_for(self._stopped.wait(), self._settings.shutdown_grace_seconds + 2.0)

    def stop_accepting(self) -> None:
        """Closes the listening sockets; connections stay."""
        if self._server is not None:
            for server in self._server.servers:
                server.close()

    def stop(self) -> None:
        """Lets requests in progress finish within the grace of the settings, then ends `serve`."""
        if self._server is not None:
            self._server.should_exit = True


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
