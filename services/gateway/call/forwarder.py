"""Carries any RPC of the catalogue to the service that owns it, as bytes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, PartUnavailable, TooSlow
from services.common.rpc.channel import open_channel
from services.common.rpc.client import proof_of, trace
from services.common.rpc.errors import STATUS_DETAILS, error_from
from services.common.rpc.retries import Retries, is_cut_off, unreachable
from services.common.sight import tracing
from services.common.sight.metrics import Metrics
from services.gateway.call.offered import Offered
from services.gateway.settings import Settings

Metadata = tuple[tuple[str, str], ...]

LONGEST_CALL_SECONDS = 10.0
_MOST_TRIES = 3


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
        self._channels = {owner: open_channel(address, settings) for owner, address in addresses.items()}
        self._proof: Metadata = proof_of("gateway", settings)
        self._calls: dict[str, Any] = {}
        self._retries = Retries(most_tries=_MOST_TRIES, is_away=is_cut_off)
        self._seconds = metrics.histogram(
            "majlis_gateway_forward_duration_seconds", "Time a forwarded RPC took its owner.", ("service", "code")
        )

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        """The response's bytes. Raises UpstreamRefused, TooSlow, or `unreachable`.

        A call waits a moment for an owner that restarts; what the contract calls free of side effects is also tried
        again when the connection broke under it.
        """
        channel, call = self._channel(offered), self._call(offered)
        started, code = time.perf_counter(), "OK"

        async def once(seconds: float) -> bytes:
            with tracing.call(offered.path[1:]):
                answer: bytes = await call(request, timeout=seconds, metadata=metadata + self._proof + trace())
                return answer

        try:
            return await self._retries.run(
                channel,
                once,
                seconds=min(seconds, LONGEST_CALL_SECONDS),
                may_repeat=offered.policy.no_side_effects,
            )
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise refusal_of(error) from error
        except DomainError:
            code = "UNAVAILABLE"
            raise
        finally:
            self._seconds.labels(offered.owner, code).observe(time.perf_counter() - started, tracing.exemplar())

    async def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncGenerator[bytes, None]:
        """The responses' bytes of a server-streaming RPC. Raises as `unary` does."""
        try:
            async for response in self._call(offered)(request, metadata=metadata + self._proof):
                yield response
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def close(self) -> None:
        """Closes the channels; calls in progress fail."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    def _channel(self, offered: Offered) -> grpc.aio.Channel:
        channel = self._channels.get(offered.owner)
        if channel is None:
            raise PartUnavailable(f"this deployment has no address for {offered.owner}")
        return channel

    def _call(self, offered: Offered) -> Any:
        call = self._calls.get(offered.path)
        if call is None:
            channel = self._channel(offered)
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
        return unreachable()
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return TooSlow("the answer was not there in time")
    return UpstreamRefused(status_pb2.Status(code=error.code().value[0], message=""))
