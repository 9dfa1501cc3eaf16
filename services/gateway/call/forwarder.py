"""Carries any RPC of the catalogue to the service that owns it, as bytes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, PartUnavailable, TooSlow
from services.common.rpc.caller import FORWARDED_REGION
from services.common.rpc.channel import open_channel
from services.common.rpc.client import proof_of, trace
from services.common.rpc.errors import STATUS_DETAILS, error_from
from services.common.rpc.retries import Retries, fell_silent, is_cut_off, unreachable
from services.common.sight import tracing
from services.common.sight.metrics import Metrics
from services.gateway.call.offered import Offered
from services.gateway.call.owners import ANY, ROOM_MOVES, Copies, RoomOwners
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
    """One channel to each service, and to the copies that own rooms; calls on them are made when first needed."""

    def __init__(self, addresses: Mapping[str, str], settings: Settings, metrics: Metrics, owners: RoomOwners) -> None:
        waiting, at_once = Retries(most_tries=_MOST_TRIES, is_away=is_cut_off), Retries(waits=False, most_tries=1)
        self._proof: Metadata = proof_of("gateway", settings) + region_of(settings)
        self._services = {
            owner: _Open(open_channel(each, settings, self._proof, has_copies=owner == "room_directory"), waiting)
            for owner, each in addresses.items()
        }
        self._owners = owners
        known_as = host_of(settings.room_directory_address)
        self._copies: Copies[_Open] = Copies(
            lambda address: _Open(
                open_channel(address, settings, self._proof, known_as=known_as, has_copies=True), at_once
            ),
            _Open.close,
        )
        self._seconds = metrics.histogram(
            "majlis_gateway_forward_duration_seconds", "Time a forwarded RPC took its owner.", ("service", "code")
        )

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        """The response's bytes. Raises UpstreamRefused, TooSlow, or `unreachable`.

        A call waits a moment for an owner that restarts; what the contract lets repeat is also tried again when the
        connection broke under it, at the copy that owns the room by then. Of anything else nobody knows what came.
        """
        if not offered.is_about_room or offered.owner != "room_directory":
            return await self._ask(self._service(offered), offered, request, metadata, seconds)

        async def ask(address: str, seconds: float) -> bytes:
            try:
                if address == ANY:
                    return await self._ask(self._service(offered), offered, request, metadata, seconds)
                copy = await self._copies.at(address, lambda copy: copy.channel)
                return await self._ask(copy, offered, request, metadata, seconds)
            except UpstreamRefused as refused:
                error = refused.as_domain_error()
                if error.reason == ROOM_MOVES:
                    raise error from refused
                raise

        seconds = min(seconds, LONGEST_CALL_SECONDS)
        may_repeat = offered.policy.may_repeat
        return await self._owners.follow(lambda: _room_of(offered, request), ask, seconds, may_repeat=may_repeat)

    async def _ask(self, at: "_Open", offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        call, started, code = at.call(offered), time.perf_counter(), "OK"

        async def once(seconds: float) -> bytes:
            with tracing.call(offered.path[1:]):
                answer: bytes = await call(request, timeout=seconds, metadata=metadata + self._proof + trace())
                return answer

        try:
            return await at.retries.run(
                at.channel,
                once,
                seconds=min(seconds, LONGEST_CALL_SECONDS),
                may_repeat=offered.policy.may_repeat,
            )
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise refusal_of(error, may_repeat=offered.policy.may_repeat) from error
        except DomainError:
            code = "UNAVAILABLE"
            raise
        finally:
            self._seconds.labels(offered.owner, code).observe(time.perf_counter() - started, tracing.exemplar())

    async def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncGenerator[bytes, None]:
        """The responses' bytes of a server-streaming RPC. Raises as `unary` does."""
        try:
            async for response in self._service(offered).call(offered)(request, metadata=metadata + self._proof):
                yield response
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def close(self) -> None:
        """Closes the channels; calls in progress fail."""
        await asyncio.gather(self._copies.close(), *(service.close() for service in self._services.values()))

    def _service(self, offered: Offered) -> "_Open":
        service = self._services.get(offered.owner)
        if service is None:
            raise PartUnavailable(f"this deployment has no address for {offered.owner}")
        return service


@dataclass(frozen=True, slots=True)
class _Open:
    """A channel and the calls made on it."""

    channel: grpc.aio.Channel
    retries: Retries
    _calls: dict[str, Any] = field(default_factory=dict)

    def call(self, offered: Offered) -> Any:
        """An RPC of the catalogue on this channel."""
        call = self._calls.get(offered.path)
        if call is None:
            make = self.channel.unary_stream if offered.policy.streams_out else self.channel.unary_unary
            # Without serializers messages stay bytes: a new RPC needs no code here.
            call = self._calls[offered.path] = make(offered.path)
        return call

    async def close(self) -> None:
        await self.channel.close()


def _room_of(offered: Offered, request: bytes) -> str:
    """The room that a request is about; empty for what cannot be read, which its service refuses."""
    try:
        return str(offered.request_type.FromString(request).room_id)  # type: ignore[attr-defined]
    except DecodeError:
        return ""


def region_of(settings: Settings) -> Metadata:
    """Where the people are who come through this gateway, for whoever is asked on their behalf."""
    return ((FORWARDED_REGION, settings.region),) if settings.region else ()


def host_of(address: str) -> str:
    """The host of host:port."""
    return address.rpartition(":")[0].rpartition("/")[2]


def refusal_of(error: grpc.aio.AioRpcError, *, may_repeat: bool = True) -> Exception:
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
        return unreachable() if may_repeat else fell_silent()
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return TooSlow("the answer was not there in time")
    return UpstreamRefused(status_pb2.Status(code=error.code().value[0], message=""))
