"""The public API over HTTP: one handler for every unary RPC of the catalogue."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, NotSignedIn
from services.gateway.call.forwarder import LONGEST_CALL_SECONDS, Forwarder, Metadata, UpstreamRefused
from services.gateway.call.offered import ACCESS, REFRESH, Catalogue, Offered, read_field, write_field
from services.gateway.call.status import not_offered, status_from
from services.gateway.domain.cookies import CookieJar, Credentials
from services.gateway.domain.errors import BodyInvalid
from services.gateway.http.asgi import Header, Request, Response, json_response, method_not_allowed
from services.gateway.http.caller import Callers, HttpCaller, metadata_for
from services.gateway.http.wire import (
    ACCEPTED,
    Wire,
    as_bytes,
    connect_refusal,
    message_of,
    parse_proto,
    refusal,
    wire_for,
)

_UNAUTHENTICATED = 16
_GRPC_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])\Z")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

ReadBody = Callable[[], Awaitable[bytes]]
LocalRpc = Callable[[bytes, Metadata], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Connect:
    """Serves `POST /<package>.<Service>/<Method>`."""

    catalogue: Catalogue
    forwarder: Forwarder
    callers: Callers
    jar: CookieJar
    local: Mapping[str, LocalRpc]
    """RPCs the gateway answers itself, by path."""

    async def __call__(self, request: Request) -> Response:
        """The response; refusals are answered in the protocol of the request."""
        offered = self.catalogue.find(request.path)
        if offered is None or offered.policy.streams_out:
            return refusal(request.content_type(), not_offered(request.path))
        if request.method == "GET" and offered.policy.no_side_effects:
            return await self._get(request, offered)
        if request.method != "POST":
            return method_not_allowed(*(("GET", "POST") if offered.policy.no_side_effects else ("POST",)))
        wire = wire_for(request.content_type())
        if wire is None or request.header(b"content-encoding") not in (None, "identity"):
            accepted = (b"accept-post", ACCEPTED.encode())
            return json_response(415, {"code": "unknown", "message": f"send one of {ACCEPTED}, uncompressed"}, accepted)
        return await self._answered(request, offered, wire, request.body)

    async def _get(self, request: Request, offered: Offered) -> Response:
        """Connect's form for what changes nothing: the message is in the query."""
        try:
            query = request.query()
        except BodyInvalid as error:
            return connect_refusal(status_from(error))
        encoding = query.get("encoding", b"").decode("latin-1")
        wire = wire_for(f"application/{encoding}") if encoding in ("json", "proto") else None
        if wire is None or query.get("compression", b"identity") != b"identity":
            return json_response(415, {"code": "unknown", "message": "encoding must be json or proto, uncompressed"})

        async def message() -> bytes:
            return message_of(query)

        return await self._answered(request, offered, wire, message)

    async def _answered(self, request: Request, offered: Offered, wire: Wire, read: ReadBody) -> Response:
        try:
            return await self._serve(request, offered, wire, read)
        except (DomainError, UpstreamRefused) as error:
            return wire.error(status_from(error))

    async def _serve(self, request: Request, offered: Offered, wire: Wire, read: ReadBody) -> Response:
        caller = await self.callers.identify(request)
        if offered.policy.needs_token and caller.access_token is None:
            raise NotSignedIn("this RPC needs an access token")
        body = wire.request(await read(), offered.request_type)
        if caller.is_browser:
            body = _with_refresh_token(body, offered, caller)
        metadata = metadata_for(request, caller.access_token)
        try:
            answer = await self._call(offered, as_bytes(body), metadata, seconds_of(request))
        except UpstreamRefused as error:
            response = wire.error(error.status)
            response.headers.extend(self._after_refusal(offered, caller, error.status))
            return response
        return self._answer(offered, wire, caller, answer)

    async def _call(self, offered: Offered, body: bytes, metadata: Metadata, seconds: float) -> bytes:
        local = self.local.get(offered.path)
        if local is not None:
            return await local(body, metadata)
        return await self.forwarder.unary(offered, body, metadata, seconds)

    def _answer(self, offered: Offered, wire: Wire, caller: HttpCaller, answer: bytes) -> Response:
        moves = caller.is_browser and bool(offered.response_credentials)
        if not moves and not wire.needs_message:
            return wire.response(answer)
        message = offered.response_type.FromString(answer)
        cookies = self._take_credentials(offered, message) if moves else []
        response = wire.response(message)
        response.headers.extend(_set_cookie(each) for each in cookies)
        return response

    def _take_credentials(self, offered: Offered, message: Message) -> list[str]:
        """Moves the response's credentials into cookies; empty ones remove the cookies."""
        found: dict[int, str] = {}
        for kind, path in offered.response_credentials.items():
            found[kind] = read_field(message, path)
            write_field(message, path, "")
        return self.jar.write(Credentials(found.get(ACCESS), found.get(REFRESH)))

    def _after_refusal(self, offered: Offered, caller: HttpCaller, status: status_pb2.Status) -> list[Header]:
        """A refresh token that is refused is of no more use: its cookies go."""
        spent = caller.refresh_token is not None and REFRESH in offered.request_credentials
        if spent and status.code == _UNAUTHENTICATED:
            return [_set_cookie(each) for each in self.jar.clear()]
        return []


def _with_refresh_token(body: bytes | Message, offered: Offered, caller: HttpCaller) -> bytes | Message:
    """The request with the cookie's refresh token where the contract has a place for one."""
    path = offered.request_credentials.get(REFRESH)
    if path is None or caller.refresh_token is None:
        return body
    message = parse_proto(body, offered.request_type) if isinstance(body, bytes) else body
    write_field(message, path, caller.refresh_token)
    return message


def seconds_of(request: Request) -> float:
    """How long the client waits, by Connect's header or gRPC's. Raises BodyInvalid for one that makes no sense."""
    milliseconds = request.header(b"connect-timeout-ms")
    if milliseconds is not None:
        if not milliseconds.isdecimal() or len(milliseconds) > 10:
            raise BodyInvalid("Connect-Timeout-Ms is not a number of milliseconds")
        return min(LONGEST_CALL_SECONDS, int(milliseconds) / 1000)
    timeout = request.header(b"grpc-timeout")
    if timeout is None:
        return LONGEST_CALL_SECONDS
    match = _GRPC_TIMEOUT.match(timeout)
    if match is None:
        raise BodyInvalid("grpc-timeout is not a timeout")
    return min(LONGEST_CALL_SECONDS, int(match.group(1)) * _UNITS[match.group(2)])


def _set_cookie(value: str) -> Header:
    return (b"set-cookie", value.encode())
