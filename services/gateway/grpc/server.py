"""The public native gRPC port: forwards the catalogue's RPCs as bytes, with health and reflection of just those."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import status_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.net import PortTaken, has_ipv6, split_address
from services.common.rpc.caller import AUTHORIZATION, REQUEST_ID, request_id_from
from services.common.rpc.errors import STATUS_DETAILS
from services.common.rpc.guard import text_metadata
from services.common.rpc.health import Health
from services.common.rpc.reflection import reflection_handlers
from services.common.rpc.server import Handlers
from services.common.sight import tracing
from services.common.sight.metrics import Metrics
from services.common.trust.certificates import CertificateFiles
from services.common.trust.tls import server_credentials
from services.gateway.call.caller import Caller, note_request
from services.gateway.call.calls import Calls, Read
from services.gateway.call.door import Door
from services.gateway.call.forwarder import LONGEST_CALL_SECONDS
from services.gateway.call.identity import bearer_of
from services.gateway.call.offered import Offered
from services.gateway.call.public_contract import public_pool
from services.gateway.call.status import code_name, not_offered
from services.gateway.messages.reading import LARGEST_REQUEST_BYTES, as_bytes, readable

_ANY = ("0.0.0.0", "::")
_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_REQUEST_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class BoundGrpc:
    """A server with addresses that are taken and not served yet."""

    server: grpc.aio.Server
    port: int
    """Of the first address."""


def bind(addresses: Sequence[str], certificate: CertificateFiles | None) -> BoundGrpc:
    """Binds every address, host:port. Raises PortTaken."""
    server = grpc.aio.server(options=_OPTIONS)
    port, everywhere = 0, False
    for listen in addresses:
        host, asked = split_address(listen)
        # gRPC takes either family's "any address" for both, and could not bind the other one beside it.
        is_any = host in _ANY
        if (is_any and everywhere) or (port and ":" in host and not has_ipv6()):
            continue
        everywhere = everywhere or is_any
        # Several addresses with port 0 share the port the system chose for the first.
        bound = _bind(server, f"{listen.rpartition(':')[0]}:{asked or port}", certificate)
        port = port or bound
    return BoundGrpc(server, port)


class PublicRpcs(grpc.GenericRpcHandler):
    """Handles every path that health and reflection leave."""

    def __init__(self, calls: Calls, door: Door, metrics: Metrics) -> None:
        self._calls = calls
        self._door = door
        self._requests = metrics.counter(
            "majlis_gateway_grpc_requests_total", "RPCs answered on the public gRPC port.", ("method", "code")
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path; unknown ones and those for services are all told the same."""
        path = handler_call_details.method
        offered = self._calls.catalogue.find(path)
        if offered is None:
            return grpc.unary_unary_rpc_method_handler(_refuser(path))
        if offered.policy.streams_out:
            return grpc.unary_stream_rpc_method_handler(self._streamer(offered))
        return grpc.unary_unary_rpc_method_handler(self._unary(offered))

    def _unary(self, offered: Offered) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(request: bytes, context: Any) -> bytes:
            seconds = context.time_remaining() or LONGEST_CALL_SECONDS
            try:
                with tracing.begin(offered.path[1:]):
                    caller = self._caller(context)
                    answer = await self._calls.unary(offered, caller, _reading(request, offered), seconds)
            except Exception as error:  # noqa: BLE001 (what is no refusal is logged; the client learns that it happened)
                return await self._refuse(offered, context, error)
            self._requests.labels(offered.policy.method, "ok").inc()
            return as_bytes(answer.message)

        return call

    def _streamer(self, offered: Offered) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def call(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                caller = self._caller(context)
                async with aclosing(self._calls.stream(offered, caller, _reading(request, offered))) as responses:
                    async for response in responses:
                        yield response
            except Exception as error:  # noqa: BLE001 (what is no refusal is logged; the client learns that it happened)
                await self._refuse(offered, context, error)
            else:
                self._requests.labels(offered.policy.method, "ok").inc()

        return call

    def _caller(self, context: Any) -> Caller:
        """Who calls. Raises RateLimited."""
        given = text_metadata(context.invocation_metadata())
        network = self._door.network_of(
            peer_address(context.peer()), given.get("x-forwarded-for", ""), given.get("forwarded", "")
        )
        self._door.admit(network)
        request_id = request_id_from(given.get(REQUEST_ID))
        note_request(request_id)
        return Caller(network, request_id, given.get("user-agent"), bearer_of(given.get(AUTHORIZATION)))

    async def _refuse(self, offered: Offered, context: Any, error: Exception) -> bytes:
        status = self._calls.refusal(offered, error)
        self._requests.labels(offered.policy.method, code_name(status)).inc()
        await _abort(context, status)
        raise AssertionError("abort raises")


class PublicGrpcServer:
    """The port itself, with health and reflection of just what is public."""

    def __init__(self, bound: BoundGrpc, rpcs: PublicRpcs, services: Iterable[ServiceDescriptor]) -> None:
        self._server = bound.server
        self._health = Health()
        handlers = cast("grpc.aio.Server", Handlers(self._server))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers)
        pool, self._names = public_pool(services)
        handlers.add_generic_rpc_handlers(reflection_handlers(self._names, pool))
        self._server.add_generic_rpc_handlers((rpcs,))

    async def start(self) -> None:
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def drain(self, grace_seconds: float) -> None:
        """Reports itself as not serving, refuses new calls, and gives those in progress the grace."""
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(grace_seconds)


def peer_address(peer: str) -> str:
    """The address in what gRPC calls a peer: ipv4:1.2.3.4:5 or ipv6:%5B::1%5D:5."""
    _, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].removeprefix("[").removesuffix("]")


def _bind(server: grpc.aio.Server, listen: str, certificate: CertificateFiles | None) -> int:
    try:
        if certificate is None:
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, server_credentials(certificate))
    except RuntimeError as error:
        raise PortTaken(listen, error) from error
    if not port:
        raise PortTaken(listen)
    return port


def _reading(request: bytes, offered: Offered) -> Read:
    async def read() -> bytes:
        return readable(request, offered.request_type)

    return read


def _refuser(path: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def refuse(_request: bytes, context: Any) -> bytes:
        await _abort(context, not_offered(path))
        raise AssertionError("abort raises")

    return refuse


async def _abort(context: Any, status: status_pb2.Status) -> None:
    code = next(each for each in grpc.StatusCode if each.value[0] == status.code)
    await context.abort(code, status.message, trailing_metadata=((STATUS_DETAILS, status.SerializeToString()),))
