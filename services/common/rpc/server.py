"""The gRPC server of a service: its RPCs behind one guard, with health and reflection."""

import asyncio
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from majlis.contract.v1 import common_errors_pb2

from services.common.net import PortTaken
from services.common.rpc.caller import Caller, current_caller
from services.common.rpc.carried import Carried
from services.common.rpc.guard import Guard, ServiceIdentity
from services.common.rpc.health import Health
from services.common.rpc.policy import PolicyMissing, policies_of
from services.common.rpc.reading import ReadingHandler
from services.common.rpc.reasons import Refusal, refusals_of
from services.common.rpc.reflection import pool_of, reflection_handlers
from services.common.settings import ServiceSettings
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.trust.certificates import CertificateMetrics
from services.common.trust.peer_identity import PeerIdentities
from services.common.trust.tls import server_credentials, service_files
from services.common.trust.tokens import TokenVerifier

__all__ = ["Caller", "Handlers", "PolicyMissing", "RpcServer", "current_caller"]

LARGEST_MESSAGE_BYTES = 256 * 1024

_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    # An answer that is carried has a number beside it.
    ("grpc.max_send_message_length", LARGEST_MESSAGE_BYTES + 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Who asks copies looks each second whether they live.
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
)

_log = get_logger("rpc")


@dataclass(frozen=True, slots=True)
class _Details(grpc.HandlerCallDetails):
    """Names a call."""

    method: str
    invocation_metadata: tuple[()] = ()


class Handlers:
    """A server as generated code sees it, that takes each service's handlers as a whole.

    Generated code also registers each method by itself, and grpcio's asyncio server then waits for the next call of
    every registered method at once: with forty methods, each call pays for forty futures. None of the handlers fails
    on a request that it cannot read.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self._added: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        added = tuple(ReadingHandler(each) for each in generic_rpc_handlers)
        self._added += added
        self._server.add_generic_rpc_handlers(added)

    async def find(self, details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path, or None."""
        return next((found for each in self._added if (found := each.service(details)) is not None), None)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:
        """Nothing: the same handlers were given to `add_generic_rpc_handlers`."""


class RpcServer:
    """Serves the RPCs of one service on `settings.grpc_listen`.

    `verifier` checks access tokens; it is needed as soon as one RPC is for users or operators. `strict` turns a
    refusal that the contract does not document into INTERNAL, as tests want it; otherwise it is counted and logged.
    Ids in the `logged_fields` of requests are in each log line of their calls.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        metrics: Metrics,
        *,
        verifier: TokenVerifier | None = None,
        strict: bool = False,
        logged_fields: tuple[str, ...] = (),
        quiet: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.port = 0
        self._settings = settings
        self._metrics = metrics
        self._verifier = verifier
        self.certificates = CertificateMetrics(metrics)
        files = service_files(settings)
        self._credentials = None if files is None else server_credentials(files)
        if files is not None:
            self.certificates.show("service", files)
        peers = None if files is None else PeerIdentities(files, settings.deployment)
        identity = ServiceIdentity(settings.service_secret(), peers)
        self._guard = Guard(identity, verifier, metrics, strict=strict, logged_fields=logged_fields, quiet=quiet)
        self._server = grpc.aio.server(interceptors=(self._guard,), options=_OPTIONS)
        self._carried = Carried(self._handler_of, identity.prove, LARGEST_MESSAGE_BYTES)
        self._server.add_generic_rpc_handlers((self._carried,))
        self._handlers = Handlers(self._server)
        self._health = Health()
        self._services: list[ServiceDescriptor] = []
        self._names: list[str] = []
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._as_server)

    @property
    def _as_server(self) -> grpc.aio.Server:
        # It has what generated code needs of a server; the library's class would want much more of it.
        return cast("grpc.aio.Server", self._handlers)

    def add(
        self, servicer: Any, add_to_server: Callable[[Any, grpc.aio.Server], None], service: ServiceDescriptor
    ) -> None:
        """Adds a servicer with the generated `add_XServicer_to_server` and its service's descriptor.

        Raises PolicyMissing when an RPC does not say who may call it, or nothing here could check its callers.
        """
        policies = policies_of(service)
        for policy in policies.values():
            if policy.needs_token and self._verifier is None:
                raise PolicyMissing(f"{policy.path} needs a token, but this server has no verifier")
        self._guard.cover(policies, documented_reasons(service))
        add_to_server(servicer, self._as_server)
        self._services.append(service)
        self._names.append(service.full_name)

    async def start(self) -> None:
        """Binds and serves; `port` is then known. Raises PortTaken."""
        listen = self._settings.grpc_listen
        pool = pool_of(service.file for service in self._services)
        self._handlers.add_generic_rpc_handlers(reflection_handlers(self._names, pool))
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(listen)
            else:
                self.port = self._server.add_secure_port(listen, self._credentials)
        except RuntimeError as error:
            raise PortTaken(listen, error) from error
        if not self.port:
            raise PortTaken(listen)
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        self._metrics.ready = True
        _log.info("serving gRPC", port=self.port, services=self._names)

    async def drain(self) -> None:
        """Reports itself as not serving, refuses new calls, and gives those in progress the grace of the settings."""
        self._metrics.ready = False
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        # First of all connections hear that others should be made, then who has calls carried: it goes to those.
        await asyncio.gather(self._server.stop(self._settings.shutdown_grace_seconds), self._finish_carrying())

    async def _finish_carrying(self) -> None:
        self._carried.finish()

    async def _handler_of(self, path: str) -> Any:
        """What answers a carried call: the same guarded handler that answers one by itself."""
        return await self._guard.intercept_service(self._handlers.find, _Details(path))

    async def _set_health(self, status: "health_pb2.HealthCheckResponse.ServingStatus.ValueType") -> None:
        await asyncio.gather(*(self._health.set(name, status) for name in ("", *self._names)))


def documented_reasons(service: ServiceDescriptor) -> dict[str, Refusal]:
    """The reasons a service's RPCs may give: those common to all, and its package's own error enum.

    For package a.some_name.v1 that is the enum SomeNameErrorReason in some_name_errors.proto.
    """
    common = common_errors_pb2.CommonErrorReason.DESCRIPTOR
    package = service.file.package
    word = package.split(".")[-2]
    try:
        module = importlib.import_module(f"{package}.{word}_errors_pb2")
    except ModuleNotFoundError:
        return refusals_of(common)
    enum_name = "".join(part.capitalize() for part in word.split("_")) + "ErrorReason"
    return refusals_of(common, getattr(module, enum_name).DESCRIPTOR)
