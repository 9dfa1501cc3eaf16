"""The public native gRPC port: forwards the catalogue's RPCs as bytes, with health and reflection of just those."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import grpc
import structlog
from google.rpc import status_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.errors import DomainError, NotSignedIn
from services.common.limits import TokenBuckets
from services.common.net import PortTaken, has_ipv6, split_address
from services.common.rpc.caller import AUTHORIZATION, FORWARDED_NETWORK, REQUEST_ID, request_id_from, set_request_id
from services.common.rpc.errors import STATUS_DETAILS
from services.common.rpc.guard import text_metadata
from services.common.rpc.health import Health
from services.common.rpc.reflection import reflection_handlers
from services.common.rpc.server import Handlers
from services.common.sight import tracing
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.trust.tls import server_credentials
from services.gateway.call.door import ClientNetworks
from services.gateway.call.faults import Faults
from services.gateway.call.forwarder import LONGEST_CALL_SECONDS, Forwarder, Metadata, UpstreamRefused
from services.gateway.call.identity import Identities, bearer_of
from services.gateway.call.local_rpcs import WATCH, watch
from services.gateway.call.offered import Catalogue, Offered
from services.gateway.call.public_contract import public_pool
from services.gateway.call.status import code_name, not_offered, status_from
from services.gateway.domain.errors import RateLimited
from services.gateway.http.asgi import LARGEST_BODY_BYTES
from services.gateway.http.caller import FORWARDED_USER_AGENT, harmless
from services.gateway.http.certificate import public_certificate
from services.gateway.http.wire import readable
from services.gateway.settings import Settings
from services.gateway.watch.streams import Watching

_log = get_logger("grpc")

LocalRpc = Callable[[bytes, Metadata], Awaitable[bytes]]

_ANY = ("0.0.0.0", "::")
_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_BODY_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class PublicParts:
    """What the port's calls go through."""

    catalogue: Catalogue
    forwarder: Forwarder
    identities: Identities
    watching: Watching
    limits: TokenBuckets
    local: Mapping[str, LocalRpc]
    faults: Faults
    addresses: ClientNetworks


class PublicRpcs(grpc.GenericRpcHandler):
    """Handles every path that health and reflection leave."""

    def __init__(self, parts: PublicParts, metrics: Metrics, now: Callable[[], float]) -> None:
        self._parts = parts
        self._now = now
        self._requests = metrics.counter(
            "majlis_gateway_grpc_requests_total", "RPCs answered on the public gRPC port.", ("method", "code")
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path; unknown ones and those for services are all told the same."""
        path = handler_call_details.method
        offered = self._parts.catalogue.find(path)
        if offered is None:
            return grpc.unary_unary_rpc_method_handler(_refuser(path))
        if offered.policy.streams_out:
            return grpc.unary_stream_rpc_method_handler(self._streamer(offered))
        return grpc.unary_unary_rpc_method_handler(self._unary(offered))

    def _unary(self, offered: Offered) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(request: bytes, context: Any) -> bytes:
            async def answer() -> bytes:
                metadata, _ = await self._admit(offered, context)
                readable(request, offered.request_type)
                local = self._parts.local.get(offered.path)
                if local is not None:
                    return await local(request, metadata)
                seconds = context.time_remaining() or LONGEST_CALL_SECONDS
                return await self._parts.forwarder.unary(offered, request, metadata, seconds)

            try:
                with tracing.begin(offered.path[1:]):
                    response = await answer()
            except (DomainError, UpstreamRefused) as error:
                return await self._refuse(offered, context, status_from(error))
            except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
                return await self._refuse(offered, context, status_from(self._parts.faults.note(offered.path, error)))
            self._requests.labels(offered.policy.method, "ok").inc()
            return response

        return call

    def _streamer(self, offered: Offered) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def call(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                metadata, token = await self._admit(offered, context)
                readable(request, offered.request_type)
                if offered.path == WATCH:
                    access = await self._parts.identities.verify(token or "", offered.policy.scope)
                    responses = watch(self._parts.watching, access, request)
                else:
                    responses = self._parts.forwarder.stream(offered, request, metadata)
                async for response in responses:
                    yield response
            except (DomainError, UpstreamRefused) as error:
                await self._refuse(offered, context, status_from(error))
            except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
                await self._refuse(offered, context, status_from(self._parts.faults.note(offered.path, error)))
            else:
                self._requests.labels(offered.policy.method, "ok").inc()

        return call

    async def _admit(self, offered: Offered, context: Any) -> tuple[Metadata, str | None]:
        """What the owner is told, and the access token. Raises RateLimited or NotSignedIn."""
        given = text_metadata(context.invocation_metadata())
        network = self._parts.addresses.of(
            peer_address(context.peer()), given.get("x-forwarded-for", ""), given.get("forwarded", "")
        )
        wait = self._parts.limits.take(network, self._now())
        if wait > 0:
            raise RateLimited("too many requests from your network", retry_after_seconds=max(1.0, wait))
        token = bearer_of(given.get(AUTHORIZATION))
        if token is not None:
            token = await self._parts.identities.access_token(token, network)
        elif offered.policy.needs_token:
            raise NotSignedIn("this RPC needs an access token")
        request_id = request_id_from(given.get(REQUEST_ID))
        structlog.contextvars.bind_contextvars(request_id=request_id)
        set_request_id(request_id)
        metadata = [
            (REQUEST_ID, request_id),
            (FORWARDED_NETWORK, network),
            (FORWARDED_USER_AGENT, harmless(given.get("user-agent"))),
        ]
        if token is not None:
            metadata.append((AUTHORIZATION, f"Bearer {token}"))
        return tuple(metadata), token

    async def _refuse(self, offered: Offered, context: Any, status: status_pb2.Status) -> bytes:
        self._requests.labels(offered.policy.method, code_name(status)).inc()
        await _abort(context, status)
        raise AssertionError("abort raises")


class PublicGrpcServer:
    """The port itself."""

    def __init__(self, handler: PublicRpcs, catalogue_services: Any, settings: Settings) -> None:
        self.port = 0
        self._settings = settings
        self._certificate = public_certificate(settings)
        self._server = grpc.aio.server(options=_OPTIONS)
        self._health = Health()
        handlers = cast("grpc.aio.Server", Handlers(self._server))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers)
        pool, names = public_pool(catalogue_services)
        handlers.add_generic_rpc_handlers(reflection_handlers(names, pool))
        self._server.add_generic_rpc_handlers((handler,))
        self._names = names

    async def start(self) -> int:
        """Binds every address and serves; returns the first one's port. Raises PortTaken."""
        everywhere = False
        for listen in self._settings.grpc_public_listen:
            host, asked = split_address(listen)
            # gRPC takes either family's "any address" for both, and could not bind the other one beside it.
            is_any = host in _ANY
            if (is_any and everywhere) or (self.port and ":" in host and not has_ipv6()):
                continue
            everywhere = everywhere or is_any
            # Several addresses with port 0 share the port the system chose for the first.
            bound = self._bind(f"{listen.rpartition(':')[0]}:{asked or self.port}")
            self.port = self.port or bound
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self.port

    def _bind(self, listen: str) -> int:
        try:
            if self._certificate is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, server_credentials(self._certificate))
        except RuntimeError as error:
            raise PortTaken(listen, error) from error
        if not port:
            raise PortTaken(listen)
        return port

    async def drain(self) -> None:
        """Reports itself as not serving, refuses new calls, and gives those in progress the grace of the settings."""
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(self._settings.shutdown_grace_seconds)


def peer_address(peer: str) -> str:
    """The address in what gRPC calls a peer: ipv4:1.2.3.4:5 or ipv6:%5B::1%5D:5."""
    _, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].removeprefix("[").removesuffix("]")


def _refuser(path: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def refuse(_request: bytes, context: Any) -> bytes:
        await _abort(context, not_offered(path))
        raise AssertionError("abort raises")

    return refuse


async def _abort(context: Any, status: status_pb2.Status) -> None:
    code = next(each for each in grpc.StatusCode if each.value[0] == status.code)
    await context.abort(code, status.message, trailing_metadata=((STATUS_DETAILS, status.SerializeToString()),))
