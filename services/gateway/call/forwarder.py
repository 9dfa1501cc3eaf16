"""Carries any RPC of the catalogue to the service that owns it, as bytes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, PartUnavailable, TooSlow
from services.common.rpc.channel import open_channel, reached
from services.common.rpc.client import proof_of
from services.common.rpc.errors import STATUS_DETAILS, error_from
from services.common.sight import tracing
from services.common.sight.metrics import Metrics
from services.gateway.call.offered import Offered
from services.gateway.settings import Settings

Metadata = tuple[tuple[str, str], ...]

LONGEST_CALL_SECONDS = 10.0
_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.1
# A part that crashed is back within this; a call that was not sent yet can wait for it, whatever it changes.
_REACH_SECONDS = 3.0
_MAX_WAITING = 2_000
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.enable_retries", 0),
)


class UpstreamRefused(Exception):
    """The owning service refused: its whole google.rpc.Status, details included."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status

    def as_domain_error(self) -> DomainError:
        """The refusal as code that only looks at kind and reason wants it."""
        return error_from(self.status)


class Forwarder:
    """One channel to each service; the calls on them are made when first needed."""

    def __init__(self, addresses: Mapping[str, str], settings: Settings, metrics: Metrics) -> None:
        self._channels = {owner: open_channel(address, settings, _OPTIONS) for owner, address in addresses.items()}
        self._proof: Metadata = proof_of("gateway", settings)
        self._calls: dict[str, Any] = {}
        self._waiting = 0
        self._seconds = metrics.histogram(
            "majlis_gateway_forward_duration_seconds", "Time a forwarded RPC took its owner.", ("service", "code")
        )

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        """The response's bytes. Raises UpstreamRefused, PartUnavailable or TooSlow.

        A call waits a moment for an owner that restarts; what the contract calls free of side effects is also tried
        again when the connection broke under it.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + min(seconds, LONGEST_CALL_SECONDS)
        reach_by = min(ends_at, loop.time() + _REACH_SECONDS)
        pause = _FIRST_PAUSE_SECONDS
        tries = _TRIES if offered.policy.no_side_effects else 1
        while True:
            tries -= 1
            try:
                return await self._once(offered, request, metadata, ends_at, reach_by)
            except PartUnavailable:
                wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 (jitter)
                pause *= 2
                if not tries or loop.time() + wait >= reach_by:
                    raise
                await asyncio.sleep(wait)

    async def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncIterator[bytes]:
        """The responses' bytes of a server-streaming RPC. Raises as `unary` does."""
        try:
            async for response in self._call(offered)(request, metadata=metadata + self._proof):
                yield response
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def close(self) -> None:
        """Closes the channels; calls in progress fail."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def _once(
        self, offered: Offered, request: bytes, metadata: Metadata, ends_at: float, reach_by: float
    ) -> bytes:
        started, code = time.perf_counter(), "OK"
        try:
            call = self._call(offered)
            await self._reached(self._channels[offered.owner], reach_by)
            seconds = max(0.001, ends_at - asyncio.get_running_loop().time())
            with tracing.call(offered.path[1:]):
                response: bytes = await call(request, timeout=seconds, metadata=metadata + self._proof + _trace())
        except PartUnavailable:
            code = "UNAVAILABLE"
            raise
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise refusal_of(error) from error
        else:
            return response
        finally:
            self._seconds.labels(offered.owner, code).observe(time.perf_counter() - started, tracing.exemplar())

    async def _reached(self, channel: grpc.aio.Channel, reach_by: float) -> None:
        """Returns when the channel is connected. Raises PartUnavailable."""
        if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return
        if self._waiting >= _MAX_WAITING:
            raise _unreachable()
        self._waiting += 1
        try:
            if not await reached(channel, reach_by):
                raise _unreachable()
        finally:
            self._waiting -= 1

    def _call(self, offered: Offered) -> Any:
        call = self._calls.get(offered.path)
        if call is None:
            channel = self._channels.get(offered.owner)
            if channel is None:
                raise PartUnavailable(f"this deployment has no address for {offered.owner}")
            make = channel.unary_stream if offered.policy.streams_out else channel.unary_unary
            # Without serializers messages stay bytes: a new RPC needs no code here.
            call = self._calls[offered.path] = make(offered.path)
        return call


def refusal_of(error: grpc.aio.AioRpcError) -> Exception:
    """What to raise for a failed call: the owner's own status, or that it could not be reached or was too slow."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            status = status_pb2.Status()
            try:
                status.ParseFromString(value)
            except DecodeError:
                break
            return UpstreamRefused(status)
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return _unreachable()
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return TooSlow("the answer was not there in time")
    return UpstreamRefused(status_pb2.Status(code=error.code().value[0], message=""))


def _trace() -> Metadata:
    traceparent = tracing.traceparent()
    return ((tracing.TRACEPARENT, traceparent),) if traceparent else ()


def _unreachable() -> PartUnavailable:
    # The library's own message names addresses, which are nobody's business.
    return PartUnavailable("a part of the server is not reachable just now", retry_after_seconds=1.0)
