"""The public API over HTTP: one handler for every unary RPC of the catalogue."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError
from services.gateway.call.caller import Caller
from services.gateway.call.calls import Calls
from services.gateway.call.forwarder import LONGEST_CALL_SECONDS, UpstreamRefused
from services.gateway.call.offered import REFRESH, Offered
from services.gateway.call.status import not_offered, status_from
from services.gateway.domain.cookies import CookieJar
from services.gateway.domain.errors import BodyInvalid
from services.gateway.http.asgi import Header, Request, Response, method_not_allowed
from services.gateway.http.caller import Callers
from services.gateway.http.wire import ACCEPTED, Wire, connect_refusal, message_of, refusal, unsupported, wire_for

_UNAUTHENTICATED = 16
_GRPC_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])\Z")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

ReadBody = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Connect:
    """Serves `POST /<package>.<Service>/<Method>`."""

    calls: Calls
    callers: Callers
    jar: CookieJar

    async def __call__(self, request: Request) -> Response:
        """The response; refusals are answered in the protocol of the request."""
        offered = self.calls.catalogue.find(request.path)
        if offered is None or offered.policy.streams_out:
            return refusal(request.content_type(), not_offered(request.path))
        if request.method == "GET" and offered.policy.no_side_effects:
            return await self._get(request, offered)
        if request.method != "POST":
            return method_not_allowed(*(("GET", "POST") if offered.policy.no_side_effects else ("POST",)))
        wire = wire_for(request.content_type())
        if wire is None or request.header(b"content-encoding") not in (None, "identity"):
            accepted = (b"accept-post", ACCEPTED.encode())
            return unsupported(f"send one of {ACCEPTED}, uncompressed", accepted)
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
            return unsupported("encoding must be json or proto, uncompressed")

        async def message() -> bytes:
            return message_of(query)

        return await self._answered(request, offered, wire, message)

    async def _answered(self, request: Request, offered: Offered, wire: Wire, read: ReadBody) -> Response:
        try:
            return await self._serve(request, offered, wire, read)
        except (DomainError, UpstreamRefused) as error:
            return wire.error(status_from(error))

    async def _serve(self, request: Request, offered: Offered, wire: Wire, read: ReadBody) -> Response:
        caller = self.callers.identify(request)

        async def message() -> bytes | Message:
            return wire.request(await read(), offered.request_type)

        try:
            answer = await self.calls.unary(offered, caller, message, seconds_of(request))
        except UpstreamRefused as error:
            response = wire.error(error.status)
            response.headers.extend(self._after_refusal(offered, caller, error.status))
            return response
        told = answer.message
        if wire.needs_message and isinstance(told, bytes):
            told = offered.response_type.FromString(told)
        response = wire.response(told)
        if answer.credentials is not None:
            response.headers.extend(_set_cookie(each) for each in self.jar.write(answer.credentials))
        return response

    def _after_refusal(self, offered: Offered, caller: Caller, status: status_pb2.Status) -> list[Header]:
        """A refresh token that is refused is of no more use: its cookies go."""
        spent = caller.refresh_token is not None and REFRESH in offered.request_credentials
        if spent and status.code == _UNAUTHENTICATED:
            return [_set_cookie(each) for each in self.jar.clear()]
        return []


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
