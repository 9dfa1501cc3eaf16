"""Requests that are no message of their RPC: refused as the client's mistake, before any handler sees them.

grpcio answers a failing deserializer with UNKNOWN and a traceback; each stranger could fill a log with those.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from services.common.errors import FieldInvalid
from services.common.rpc.errors import STATUS_DETAILS, code_of, status_of

Behaviour = Callable[[Any, Any], Any]


class Unreadable:
    """Stands for a request that could not be read."""

    def __init__(self, name: str) -> None:
        self.refusal = FieldInvalid(f"the request is not a {name}" if name else "the request cannot be read")


class ReadingHandler(grpc.GenericRpcHandler):
    """The handlers of a service, none of which fails on what it cannot read."""

    def __init__(self, handlers: grpc.GenericRpcHandler) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path, or None."""
        handler = self._handlers.service(handler_call_details)
        return None if handler is None else reading(handler)


def reading(handler: Any) -> Any:
    """A handler that refuses what it cannot read with INVALID_ARGUMENT."""
    if handler.request_deserializer is None:
        return handler
    read, write = _reader(handler.request_deserializer), handler.response_serializer
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary), read, write)
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(_streaming(handler.unary_stream), read, write)
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(_exchange(handler.stream_stream), read, write)
    raise TypeError("an RPC that streams requests only is not served here")


def check_readable(request: Message | Unreadable) -> None:
    """Raises FieldInvalid for a request that could not be read."""
    if isinstance(request, Unreadable):
        raise request.refusal


def _reader(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    # Generated code gives the bound FromString of the request's class.
    name = getattr(getattr(deserialize, "__self__", None), "__name__", "")

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except Exception:  # noqa: BLE001 (whatever the bytes do to the parser, they are the client's)
            return Unreadable(name)

    return read


def _unary(behaviour: Behaviour) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        if isinstance(request, Unreadable):
            await _refuse(request, context)
        return await behaviour(request, context)

    return call


def _streaming(behaviour: Behaviour) -> Behaviour:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        if isinstance(request, Unreadable):
            await _refuse(request, context)
        responses = behaviour(request, context)
        if inspect.isawaitable(responses):
            # It writes through the context, as the library's own health service does.
            await responses
            return
        async for response in responses:
            yield response

    return call


def _exchange(behaviour: Behaviour) -> Behaviour:
    async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async def readable() -> AsyncIterator[Any]:
            async for request in requests:
                if isinstance(request, Unreadable):
                    await _refuse(request, context)
                yield request

        async for response in behaviour(readable(), context):
            yield response

    return call


async def _refuse(request: Unreadable, context: Any) -> None:
    status = status_of(request.refusal).SerializeToString()
    metadata = ((STATUS_DETAILS, status),)
    await context.abort(code_of(request.refusal), request.refusal.message, trailing_metadata=metadata)
