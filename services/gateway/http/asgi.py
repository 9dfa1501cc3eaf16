"""Requests and responses over raw ASGI: headers once read, bodies with a limit and a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from services.common.rpc.caller import request_id_from
from services.gateway.domain.errors import BodyInvalid, BodyTooSlow, TooLarge
from services.gateway.messages.reading import LARGEST_REQUEST_BYTES

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
NetworkOf = Callable[[str, str, str], str]
"""The client's network, by the socket's peer and the headers X-Forwarded-For and Forwarded."""

BODY_DEADLINE_SECONDS = 10.0
_MOST_PARAMETERS = 32
_LARGEST_NOTHING = 1024
"""Of a body where none is wanted so much is read before the request is refused for it."""


class Connection(Protocol):
    """The connection a request came on, as long streams need it."""

    on_lost: Callable[[], None] | None
    """Called once when the client is gone."""
    is_lost: bool
    """The client is gone already."""

    def abort(self) -> None:
        """Drops the connection with what was not sent yet."""
        ...

    def write_chunk(self, chunk: bytes) -> bool:
        """Writes one encoded chunk of the chunked response under way; False when that would have to wait."""
        ...

    def write_newest(self, data: bytes, chunk: bytes, most_waiting: int) -> bool:
        """Writes a piece of a live stream, as it is or as a chunk; False when more bytes than that wait already."""
        ...

    def limit_buffer(self, size: int) -> None:
        """Makes sending wait once this many bytes are not sent."""
        ...


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Request:
    __slots__ = ("_headers", "_receive", "_scope", "method", "network", "path", "request_id")

    def __init__(self, scope: Scope, receive: Receive, network_of: NetworkOf, *, has_id: bool) -> None:
        """`has_id`: whether it is found by an id in the logs of every service, as all but files and pages are."""
        self._scope = scope
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            # Repeated headers are joined (RFC 9110 §5.2); cookies with their own separator (RFC 9113 §8.2.3).
            separator = b"; " if name == b"cookie" else b", "
            headers[name] = headers[name] + separator + value if name in headers else value
        self._headers = headers
        self.network = network_of(self.peer, self.header(b"x-forwarded-for") or "", self.header(b"forwarded") or "")
        """The client's, empty for a peer without an address."""
        self.request_id = request_id_from(self.header(b"x-request-id")) if has_id else ""

    def header(self, name: bytes) -> str | None:
        """The value of a header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def peer(self) -> str:
        """The address at the other end of the socket."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    @property
    def connection(self) -> Connection | None:
        """The connection under it; None behind another server than ours."""
        connection: Connection | None = self._scope.get("majlis.connection")
        return connection

    def query(self) -> dict[str, bytes]:
        """The query's parameters, unescaped; of a repeated one the first. Raises BodyInvalid for too many."""
        pairs = self._pairs()
        if len(pairs) > _MOST_PARAMETERS:
            raise BodyInvalid("the query has too many parameters")
        parameters: dict[str, bytes] = {}
        for name, _, value in (pair.partition(b"=") for pair in pairs):
            parameters.setdefault(unquote_to_bytes(name).decode("latin-1"), unquote_to_bytes(value))
        return parameters

    def words(self, *known: str) -> dict[str, bytes]:
        """The query's parameters where each means something. Raises BodyInvalid for an unknown or repeated one.

        Who misspells what they wish would else get something different, and no hint why.
        """
        parameters = self.query()
        names = [name for name in map(_name_in, self._pairs()) if name]
        for name in names:
            if name not in known:
                knows = " and ".join(filter(None, (", ".join(known[:-1]), *known[-1:]))) or "nothing"
                raise BodyInvalid(f"the query of this address knows {knows}, not {name[:40]!r}")
            if names.count(name) > 1:
                raise BodyInvalid(f"the query has {name} more than once")
        return {name: parameters[name] for name in names}

    def _pairs(self) -> list[bytes]:
        pairs: list[bytes] = self._scope.get("query_string", b"").replace(b"+", b" ").split(b"&")
        return pairs

    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    async def no_body(self) -> None:
        """Reads a request that has no body to its end. Raises BodyInvalid for a body, and what `body` raises."""
        if await self.body(_LARGEST_NOTHING):
            raise BodyInvalid("this request takes no body")

    async def parts(self, seconds: float) -> AsyncIterator[bytes]:
        """The body as it comes, however long. Raises BodyTooSlow where nothing comes for so long, and Disconnected."""
        more = True
        while more:
            try:
                async with asyncio.timeout(seconds):
                    message = await self._receive()
            except TimeoutError:
                raise BodyTooSlow(f"nothing came for {seconds:.0f} s") from None
            if message["type"] != "http.request":
                raise Disconnected
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def body(self, limit: int = LARGEST_REQUEST_BYTES) -> bytes:
        """The whole body. Raises TooLarge, BodyTooSlow after ten seconds, or Disconnected."""
        length = self.header(b"content-length") or "0"
        if not length.isdecimal() or int(length[:12]) > limit:
            raise TooLarge(f"a request may have {limit} bytes")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_DEADLINE_SECONDS):
                while True:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        raise Disconnected
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise TooLarge(f"a request may have {limit} bytes")
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise BodyTooSlow(f"the request's body took over {BODY_DEADLINE_SECONDS:.0f} s") from None


def _name_in(pair: bytes) -> str:
    return unquote_to_bytes(pair.partition(b"=")[0]).decode("latin-1")


Header = tuple[bytes, bytes]


@dataclass(slots=True)
class Response:
    """One whole HTTP response."""

    status: int
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Sends it; `without_body` for HEAD, whose headers say what GET would bring."""
        headers = self.headers
        if self.status not in (204, 304):
            headers = [*headers, (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


def json_response(status: int, value: object, *headers: Header, media_type: bytes = b"application/json") -> Response:
    """A response with a JSON body, not to be cached."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, [(b"content-type", media_type), (b"cache-control", b"no-store"), *headers], body)


def method_not_allowed(*allowed: str) -> Response:
    """405 with what is allowed instead."""
    allow = ", ".join(allowed)
    problem = {"title": "Method Not Allowed", "status": 405, "detail": f"This address knows {allow}."}
    problem |= {"type": "about:blank", "reason": "METHOD_NOT_ALLOWED"}
    return json_response(405, problem, (b"allow", allow.encode()), media_type=b"application/problem+json")
