"""Counts and times what a process does, and shows it with its health on a private HTTP port."""

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from services.common.net import PortTaken, split_address
from services.common.throttle import Throttle
from services.common.version import VERSION

# Not by services.common.sight.log, which stands on this file; its form is that of all lines.
_log = logging.getLogger("metrics")

_BEAT_SECONDS = 1.0
_NOT_READY_AFTER_SECONDS = 3.0
"""A loop that is so late serves nobody: what waits for an answer should go elsewhere."""
_METHODS = "GET, HEAD, OPTIONS"
_STUCK_AFTER_SECONDS = 10.0
_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The one registry of a process; names begin with the product's prefix and carry their unit."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._ready = False
        self._turned_at = time.monotonic()
        self._server: ThreadingHTTPServer | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        ProcessCollector(registry=self.registry)
        self.registry.register(PLATFORM_COLLECTOR)
        self.registry.register(GC_COLLECTOR)
        build = self.gauge("majlis_build_info", "Always 1: which version runs here.", ("service", "version"))
        build.labels(service, VERSION).set(1)
        stalled = self.gauge("majlis_event_loop_stalled_seconds", "How late the event loop is; 0 while it turns.")
        stalled.set_function(self.stalled_seconds)
        self._draining = self.gauge("majlis_draining", "1 while the process lets its work end and takes no more.")

    @property
    def ready(self) -> bool:
        """Set by the service once it serves, cleared when it drains."""
        return self._ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._draining.set(1 if self._ready and not ready else 0)
        self._ready = ready

    def counter(self, name: str, doc: str, labels: Iterable[str] = ()) -> Counter:
        """A number that only rises; `name` ends in _total."""
        return Counter(name, doc, tuple(labels), registry=self.registry)

    def gauge(self, name: str, doc: str, labels: Iterable[str] = ()) -> Gauge:
        """A number that goes up and down."""
        return Gauge(name, doc, tuple(labels), registry=self.registry)

    def histogram(
        self, name: str, doc: str, labels: Iterable[str] = (), buckets: tuple[float, ...] = _SECONDS_BUCKETS
    ) -> Histogram:
        """A distribution; the default buckets suit seconds of RPCs and queries."""
        return Histogram(name, doc, tuple(labels), registry=self.registry, buckets=buckets)

    def not_ready(self) -> list[str]:
        """What /readyz waits for; empty means ready."""
        waiting = [] if self.ready else ["serving"]
        if self.stalled_seconds() > _NOT_READY_AFTER_SECONDS:
            waiting.append("event loop")
        return waiting

    def loop_is_alive(self) -> bool:
        """Whether the event loop turned within the last ten seconds."""
        return self.stalled_seconds() < _STUCK_AFTER_SECONDS

    def stalled_seconds(self) -> float:
        """How long the event loop is late with its beat; 0 while it turns."""
        if self._heartbeat is None:
            return 0.0
        return max(0.0, time.monotonic() - self._turned_at - _BEAT_SECONDS)

    async def serve(self, listen: str) -> int:
        """Serves from a thread of its own, so that a stuck event loop can still be reported; returns the port.

        Raises PortTaken when the address is in use.
        """
        host, port = split_address(listen)
        try:
            self._server = _Server((host, port), _handler_for(self))
        except OSError as error:
            raise PortTaken(listen, error) from error
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        self._beat()
        return int(self._server.server_address[1])

    async def stop(self) -> None:
        """Closes the port."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._server is not None:
            await asyncio.to_thread(self._server.shutdown)
            self._server.server_close()
            self._server = None

    def _beat(self) -> None:
        self._turned_at = time.monotonic()
        self._heartbeat = asyncio.get_running_loop().call_later(_BEAT_SECONDS, self._beat)


class _Server(ThreadingHTTPServer):
    """A server whose clients may leave or stand still: that is worth a line now and then, and no traceback."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._failures = Throttle(60.0)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the base class's signature)
        """Tells of an answer that did not arrive."""
        left_out = self._failures.passes()
        if left_out is None:
            return
        error = sys.exception()
        if isinstance(error, OSError):
            why = error.strerror or type(error).__name__
            _log.warning("a scrape or probe was not answered to its end: %s (and %d before it)", why, left_out)
        else:
            _log.error("a scrape or probe failed (and %d before it)", left_out, exc_info=error)


def _handler_for(metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"metrics": metrics})


class _Handler(BaseHTTPRequestHandler):
    metrics: Metrics
    timeout = 5.0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            # OpenMetrics, with exemplars, for who asks for it; else the classic text.
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.metrics.registry), content_type)
        elif path == "/healthz":
            alive = self.metrics.loop_is_alive()
            self._answer_json(200 if alive else 503, {"alive": alive})
        elif path == "/readyz":
            waiting = self.metrics.not_ready()
            self._answer_json(503 if waiting else 200, {"ready": not waiting, "waiting_for": waiting})
        else:
            self._answer_json(404, {"paths": ["/metrics", "/healthz", "/readyz"]})

    def do_HEAD(self) -> None:
        # Only the body stays away, by `_answer`.
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.send_response(204)
        self.send_header("Allow", _METHODS)
        self.end_headers()

    def do_POST(self) -> None:
        # Whatever body came is not read, so nothing after it can be.
        self.close_connection = True
        self._answer_json(405, {"methods": _METHODS}, allow=True)

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def _answer_json(self, status: int, body: dict[str, object], *, allow: bool = False) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json", allow=allow)

    def _answer(self, status: int, body: bytes, content_type: str, *, allow: bool = False) -> None:
        self.send_response(status)
        if allow:
            self.send_header("Allow", _METHODS)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is inherited)
        """Probes come every few seconds: they are not worth a line."""
