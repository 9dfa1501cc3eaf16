"""The gRPC channel to a server: access tokens on every call, refusals as MajlisError."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from majlis_client.discovery import Server
from majlis_client.errors import from_rpc

_DEADLINE_SECONDS = 10.0
_TRIES = 3

GetToken = Callable[[str], Awaitable[str]]
"""An access token for the next call; its argument is one the server just refused, or empty."""

_OPTIONS = (
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
)


def open_channel(server: Server, get_token: GetToken | None) -> grpc.aio.Channel:
    """A channel, encrypted when the server's page is; without `get_token` calls are anonymous."""
    interceptors: list[grpc.aio.ClientInterceptor] = [_Unary(get_token), _Stream(get_token)]
    if not server.origin.secure:
        return grpc.aio.insecure_channel(server.grpc_address, options=_OPTIONS, interceptors=interceptors)
    ca_file = server.origin.ca_file
    credentials = grpc.ssl_channel_credentials(None if ca_file is None else ca_file.read_bytes())
    return grpc.aio.secure_channel(server.grpc_address, credentials, options=_OPTIONS, interceptors=interceptors)


def _with(details: grpc.aio.ClientCallDetails, token: str, timeout: float | None) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if token:
        metadata.add("authorization", f"Bearer {token}")
    return grpc.aio.ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, get_token: GetToken | None) -> None:
        self._get_token = get_token

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        timeout = client_call_details.timeout or _DEADLINE_SECONDS
        refused = ""
        for attempt in range(_TRIES):
            token = "" if self._get_token is None else await self._get_token(refused)
            call = await continuation(_with(client_call_details, token, timeout), request)
            try:
                await call
            except grpc.aio.AioRpcError as error:
                problem = from_rpc(error)
                stale = problem.wants_token and token and not refused
                # The connection was never made, so nothing can have happened yet.
                unsent = error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in (error.details() or "").lower()
                if attempt == _TRIES - 1 or not (stale or unsent):
                    raise problem from error
                if stale:
                    refused = token
                else:
                    await asyncio.sleep(random.uniform(0.1, 0.5) * (attempt + 1))  # noqa: S311 (jitter)
            else:
                return call
        raise AssertionError("unreachable")


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, get_token: GetToken | None) -> None:
        self._get_token = get_token

    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        token = "" if self._get_token is None else await self._get_token("")
        call = await continuation(_with(client_call_details, token, client_call_details.timeout), request)
        return _translated(call)


async def _translated(call: Any) -> AsyncIterator[Any]:
    """The stream's messages; a refusal comes out as MajlisError, and leaving early cancels the call."""
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    finally:
        call.cancel()
