"""The ASGI application: finds the part that answers a path, limits networks, and counts."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.common.errors import DomainError
from services.common.sight import tracing
from services.common.sight.distinct import Distinct
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.gateway.call.caller import note_request
from services.gateway.call.door import Door
from services.gateway.call.faults import Faults
from services.gateway.call.status import status_from
from services.gateway.http.asgi import (
    Disconnected,
    Header,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    json_response,
    method_not_allowed,
)
from services.gateway.http.captions import Captions
from services.gateway.http.connect import Connect
from services.gateway.http.connect_stream import ConnectStream
from services.gateway.http.embed import is_state
from services.gateway.http.events import Events
from services.gateway.http.listen import Listen
from services.gateway.http.media import Media, refuse
from services.gateway.http.problem import problem
from services.gateway.http.reach import Reach
from services.gateway.http.speak import Speak
from services.gateway.http.wire import refusal

_log = get_logger("http")

_FAILING_SECONDS = 300.0
_INFO = "/.well-known/majlis.json"
# Streams last for hours and files are nobody's question: only these begin a trace.
_TRACED = {"rpc", "media"}
_STREAMS = {"events", "captions"}
_SOUND = {"listen", "reach"}
_METHODS = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers which paths."""

    connect: Connect
    streams: ConnectStream
    events: Events
    captions: Captions
    listen: Listen
    speak: Speak
    media: Media
    embed: Answer
    """How rooms stand that are open to the web."""
    reach: Reach
    site: Answer
    info: Callable[[], dict[str, object]]
    """The deployment in a few words, for programs."""


class Application:
    """The whole origin."""

    def __init__(
        self,
        parts: Parts,
        door: Door,
        headers: tuple[Header, ...],
        *,
        metrics: Metrics,
        faults: Faults,
    ) -> None:
        self._parts = parts
        self._door = door
        self._faults = faults
        self._headers = headers
        # Bound once: the logger of a module is looked up anew for each line.
        self._log = _log.bind()
        self._requests = metrics.counter(
            "majlis_gateway_http_requests_total", "HTTP requests answered.", ("route", "code")
        )
        self._failing = metrics.counter(
            "majlis_gateway_http_failing_networks_total",
            "Networks of clients that were answered by a fault, each once in five minutes.",
        )
        self._networks_failing = Distinct(_FAILING_SECONDS)
        self._seconds = metrics.histogram(
            "majlis_gateway_http_duration_seconds", "Time to answer an HTTP request; streams are not in it.", ("route",)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            await self._parts.speak.socket(scope, receive, send)
            self._requests.labels("speak", "101").inc()
            return
        if scope["type"] != "http":
            return
        route, answer = self._route(scope["path"])
        request = Request(scope, receive, self._door.network_of, has_id=route != "site")
        if request.request_id:
            note_request(request.request_id)
        if route in _STREAMS:
            await self._stream(request, send, route)
            return
        if route in _SOUND:
            await self._sound(request, send, route)
            return
        if route == "rpc" and self._parts.streams.serves(request.path):
            await self._rpc_stream(request, send)
            return
        if route not in _TRACED:
            await self._answer(request, send, route, answer, tracing.NOTHING)
            return
        name = self._name(request, route)
        with tracing.begin(name, **{"http.route": route}) as span:
            span.note("request_id", request.request_id)
            await self._answer(request, send, route, answer, span)

    async def _answer(self, request: Request, send: Send, route: str, answer: Answer, span: tracing.Span) -> None:
        """One request that is no stream: answered, counted, logged."""
        started = time.perf_counter()
        try:
            response = await self._answered(request, route, answer)
        except Disconnected:
            self._requests.labels(route, "499").inc()
            return
        response.headers.extend(self._headers)
        if request.request_id:
            response.headers.append((b"x-request-id", request.request_id.encode()))
        self._requests.labels(route, str(response.status)).inc()
        span.note("http.response.status_code", response.status)
        if response.status >= 500:
            span.fail(str(response.status))
            if self._networks_failing.first(request.network):
                self._failing.inc()
        await response.send(send, without_body=request.method == "HEAD")
        seconds = time.perf_counter() - started
        self._seconds.labels(route).observe(seconds, tracing.exemplar())
        if route != "site":
            say = self._log.debug if response.status < 500 else self._log.info
            milliseconds = round(seconds * 1000, 1)
            say("HTTP answered", what=self._name(request, route), code=response.status, milliseconds=milliseconds)

    def _name(self, request: Request, route: str) -> str:
        """What is asked for, without anything a client chose: other paths hold ids, codes and sealed permits."""
        if route == "rpc":
            offered = self._parts.connect.calls.catalogue.find(request.path)
            return "rpc" if offered is None else offered.path[1:]
        if route == "media":
            method = request.method if request.method in _METHODS else "OTHER"
            return f"{method} /{request.path.split('/', 2)[1]}"
        return route

    def _route(self, path: str) -> tuple[str, Answer]:
        if path.startswith("/majlis."):
            return "rpc", self._parts.connect
        if path.startswith("/events/"):
            return "events", _unreachable
        if path.startswith("/captions/"):
            return "captions", _unreachable
        if path.startswith("/listen/"):
            return "listen", _unreachable
        if path.startswith("/reach/") and path != "/reach/":
            return "reach", _unreachable
        if path.startswith("/speak/"):
            return "speak", self._parts.speak
        if path.startswith(("/whip/", "/whep/", "/media/")):
            return "media", self._parts.media
        if is_state(path):
            return "embed", self._parts.embed
        if path == _INFO:
            return "info", self._info
        return "site", self._parts.site

    async def _answered(self, request: Request, route: str, answer: Answer) -> Response:
        """The response, refusals and faults included."""
        try:
            if route != "site":
                self._door.admit(request.network or request.peer)
            return await answer(request)
        except DomainError as error:
            return _refusal(request, route, error)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
            return _refusal(request, route, self._faults.note(self._name(request, route), error))

    async def _stream(self, request: Request, send: Send, route: str) -> None:
        """A stream of server-sent events; what keeps it from opening is answered as a problem."""
        if request.method != "GET":
            response = method_not_allowed("GET")
        else:
            try:
                self._door.admit(request.network or request.peer)
                serve = self._parts.events.serve if route == "events" else self._parts.captions.serve
                await serve(request, send, self._headers)
            except DomainError as error:
                response = problem(error)
            except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
                response = problem(self._faults.note(route, error))
            else:
                self._requests.labels(route, "200").inc()
                return
        response.headers.extend(self._headers)
        self._requests.labels(route, str(response.status)).inc()
        await response.send(send)

    async def _sound(self, request: Request, send: Send, route: str) -> None:
        """A room's programme as a stream, or a trial; what keeps it from opening is answered as a problem."""
        try:
            self._door.admit(request.network or request.peer)
            part = self._parts.listen if route == "listen" else self._parts.reach
            status = await part.serve(request, send, self._headers)
        except DomainError as error:
            response = refuse(error)
        except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
            response = refuse(self._faults.note(route, error))
        else:
            self._requests.labels(route, str(status)).inc()
            return
        response.headers.extend(self._headers)
        self._requests.labels(route, str(response.status)).inc()
        await response.send(send, without_body=request.method == "HEAD")

    async def _rpc_stream(self, request: Request, send: Send) -> None:
        """A server-streaming RPC."""
        try:
            self._door.admit(request.network or request.peer)
        except DomainError as error:
            response = refusal(request.content_type(), status_from(error))
            response.headers.extend(self._headers)
            await response.send(send)
            self._requests.labels("rpc", str(response.status)).inc()
            return
        status = await self._parts.streams.serve(request, send, self._headers)
        self._requests.labels("rpc", str(status)).inc()

    async def _info(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET", "HEAD")
        return json_response(200, self._parts.info(), (b"access-control-allow-origin", b"*"))


def _refusal(request: Request, route: str, error: DomainError) -> Response:
    if route == "rpc":
        return refusal(request.content_type(), status_from(error))
    return refuse(error) if route in ("media", "embed", "speak") else problem(error)


async def _unreachable(request: Request) -> Response:
    raise AssertionError(f"{request.path} is a stream")
