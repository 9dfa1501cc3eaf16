"""A channel to another service: credentials, request id, deadline, careful retries, and refusals as exceptions."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import MethodOptions

from services.common import tracing
from services.common.rpc_caller import (
    AUTHORIZATION,
    FORWARDED_NETWORK,
    REQUEST_ID,
    SERVICE_NAME,
    SERVICE_SECRET,
    caller_or_none,
    current_request_id,
    remaining_seconds,
)
from services.common.rpc_channel import open_channel
from services.common.rpc_errors import RemoteError, raise_for
from services.common.settings import ServiceSettings
from services.common.tls import service_files

__all__ = ["RemoteError", "ServiceChannel", "as_user", "raise_for"]

DEFAULT_DEADLINE_SECONDS = 5.0
_RETRY_FOR_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 0.8

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.enable_retries", 0),
)


class ServiceChannel:
    """A channel from the service `name` to the service at `address`; give `channel` to a generated stub.

    Calls through it raise RemoteError instead of AioRpcError, carry the request id of the RPC being served, and end
    after five seconds, or earlier when the caller being served waits no longer. UNAVAILABLE is tried again for
    three seconds, with growing pauses, only where the contract says NO_SIDE_EFFECTS.
    """

    def __init__(self, name: str, address: str, settings: ServiceSettings) -> None:
        self.address = address
        proof = proof_of(name, settings)
        self.channel = open_channel(address, settings, _OPTIONS, (_Unary(proof), _Stream(proof)))

    async def close(self) -> None:
        """Closes the channel; calls in progress fail."""
        await self.channel.close()


def proof_of(name: str, settings: ServiceSettings) -> tuple[tuple[str, str], ...]:
    """Metadata by which the service `name` proves itself: none under mutual TLS, where its certificate does."""
    if service_files(settings) is not None:
        return ()
    return ((SERVICE_NAME, name), (SERVICE_SECRET, settings.service_secret()))


def as_user() -> tuple[tuple[str, str], ...]:
    """Metadata passing the current caller's own token and network on: `stub.Method(request, metadata=as_user())`."""
    caller = caller_or_none()
    if caller is None or caller.bearer is None:
        return ()
    return ((AUTHORIZATION, f"Bearer {caller.bearer}"), (FORWARDED_NETWORK, caller.network))


class _Caller:
    """What both kinds of call have in common."""

    def __init__(self, proof: tuple[tuple[str, str], ...]) -> None:
        self._proof = proof

    def _details(self, details: grpc.aio.ClientCallDetails, timeout: float | None) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *self._proof)
        request_id = current_request_id()
        if request_id and metadata.get(REQUEST_ID) is None:
            metadata.add(REQUEST_ID, request_id)
        traceparent = tracing.traceparent()
        if traceparent:
            metadata.add(tracing.TRACEPARENT, traceparent)
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


class _Unary(_Caller, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + _deadline(client_call_details.timeout)
        give_up_at = loop.time() + (_RETRY_FOR_SECONDS if _may_repeat(client_call_details.method) else 0.0)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            left = max(0.001, ends_at - loop.time())
            try:
                # A span for each try: what a slow request waited for is then seen.
                with tracing.call(_path(client_call_details.method)[1:]):
                    call = await continuation(self._details(client_call_details, left), request)
                    await call
            except grpc.aio.AioRpcError as error:
                wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 (jitter)
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
                unreachable = error.code() == grpc.StatusCode.UNAVAILABLE
                if not unreachable or loop.time() + wait >= min(give_up_at, ends_at):
                    raise raise_for(error) from error
                await asyncio.sleep(wait)
            else:
                return call


class _Stream(_Caller, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(self._details(client_call_details, client_call_details.timeout), request)


def _deadline(asked: float | None) -> float:
    limit = DEFAULT_DEADLINE_SECONDS if asked is None else asked
    remaining = remaining_seconds()
    return limit if remaining is None else min(limit, remaining)


def _may_repeat(method: str | bytes) -> bool:
    """Whether the contract says that a method changes nothing."""
    service, _, name = _path(method).lstrip("/").partition("/")
    try:
        descriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        return False
    return bool(descriptor.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS)


def _path(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method
