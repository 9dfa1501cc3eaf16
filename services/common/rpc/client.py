"""A channel to another service: credentials, request id, deadline, careful retries, and refusals as exceptions."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from services.common.rpc.caller import (
    AUTHORIZATION,
    FORWARDED_NETWORK,
    REQUEST_ID,
    SERVICE_NAME,
    SERVICE_SECRET,
    caller_or_none,
    current_request_id,
    remaining_seconds,
)
from services.common.rpc.channel import open_channel
from services.common.rpc.errors import RemoteError, raise_for
from services.common.rpc.policy import may_repeat
from services.common.rpc.retries import Retries
from services.common.settings import ServiceSettings
from services.common.sight import tracing
from services.common.trust.tls import service_files

__all__ = ["RemoteError", "ServiceChannel", "as_user", "raise_for"]

DEFAULT_DEADLINE_SECONDS = 5.0

Metadata = tuple[tuple[str, str], ...]


class ServiceChannel:
    """A channel from the service `name` to the service at `address`; give `channel` to a generated stub.

    Calls through it raise RemoteError instead of AioRpcError, carry the request id of the RPC being served, and end
    after five seconds, or earlier when the caller being served waits no longer. A call waits for a service that starts
    or restarts before it is sent (`waits`: not where another takes the place of one that is gone); once sent, it is
    tried again as `Retries` has it, only where the contract says that it may be.
    """

    def __init__(
        self,
        name: str,
        address: str,
        settings: ServiceSettings,
        *,
        waits: bool = True,
        known_as: str = "",
        has_copies: bool = False,
    ) -> None:
        self.address = address
        proof = proof_of(name, settings)
        opened = open_channel(address, settings, proof, known_as=known_as, has_copies=has_copies)
        calls = _Calls(opened, proof, Retries(waits=waits))
        # It has what stubs need of a channel; the library's class would want much more of it.
        self.channel = cast("grpc.aio.Channel", calls)

    async def close(self) -> None:
        """Closes the channel; calls in progress fail."""
        await self.channel.close()


def proof_of(name: str, settings: ServiceSettings) -> Metadata:
    """Metadata by which the service `name` proves itself: none under mutual TLS, where its certificate does."""
    if service_files(settings) is not None:
        return ()
    return ((SERVICE_NAME, name), (SERVICE_SECRET, settings.service_secret()))


def as_user() -> Metadata:
    """Metadata passing the current caller's own token and network on: `stub.Method(request, metadata=as_user())`."""
    caller = caller_or_none()
    if caller is None or caller.bearer is None:
        return ()
    return ((AUTHORIZATION, f"Bearer {caller.bearer}"), (FORWARDED_NETWORK, caller.network))


class _Calls:
    """The methods of a channel that stubs use, with what this module adds to each call.

    The library's interceptors can do the same, but cost a task and a third more time for each call.
    """

    def __init__(self, channel: grpc.aio.Channel, proof: Metadata, retries: Retries) -> None:
        self._channel = channel
        self._proof = proof
        self._retries = retries
        self.close = channel.close
        self.get_state = channel.get_state
        self.wait_for_state_change = channel.wait_for_state_change
        self.channel_ready = channel.channel_ready

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        """Begins a unary RPC."""
        begin: Any = self._channel.unary_unary(method, *args, **kwargs)
        repeats = _may_repeat(method)

        async def call(request: Message, *, timeout: float | None = None, metadata: Metadata = ()) -> Any:
            async def once(seconds: float) -> Any:
                # A span for each try: what a slow request waited for is then seen.
                with tracing.call(method[1:]):
                    return await begin(request, timeout=seconds, metadata=self._metadata(metadata))

            try:
                return await self._retries.run(self._channel, once, seconds=_deadline(timeout), may_repeat=repeats)
            except grpc.aio.AioRpcError as error:
                raise raise_for(error) from error

        return call

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Begins an RPC that streams its responses; its errors are the library's own."""
        begin: Any = self._channel.unary_stream(method, *args, **kwargs)

        def call(request: Message, *, timeout: float | None = None, metadata: Metadata = ()) -> Any:
            return begin(request, timeout=timeout, metadata=self._metadata(metadata))

        return call

    def _metadata(self, own: Metadata) -> Metadata:
        result = (*own, *self._proof)
        request_id = current_request_id()
        if request_id and not any(key == REQUEST_ID for key, _ in own):
            result = (*result, (REQUEST_ID, request_id))
        return result + trace()


def trace() -> Metadata:
    """Metadata that carries the current trace on; none outside of one."""
    traceparent = tracing.traceparent()
    return ((tracing.TRACEPARENT, traceparent),) if traceparent else ()


def _deadline(asked: float | None) -> float:
    limit = DEFAULT_DEADLINE_SECONDS if asked is None else asked
    remaining = remaining_seconds()
    return limit if remaining is None else min(limit, remaining)


def _may_repeat(method: str) -> bool:
    """Whether the contract says that a call may be sent again."""
    service, _, name = method.lstrip("/").partition("/")
    try:
        descriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        return False
    return may_repeat(descriptor)
