"""The other end of carried calls: takes them out of their streams and gives each to its handler, behind the guard."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from majlis.contract.v1 import carried_pb2 as pb

from services.common.rpc.carrier import CARRY
from services.common.rpc.errors import STATUS_DETAILS
from services.common.rpc.gathering import Gathering
from services.common.sight.log import get_logger
from services.common.tasks import Background

MOST_IN_PROGRESS = 4_000
"""Calls of one stream; no more are read until some are answered."""

Find = Callable[[str], Awaitable[Any]]
"""The handler of a path, behind the guard, or None."""
Peer = Mapping[str, Iterable[bytes]]
"""What a connection's certificate says."""

_log = get_logger("rpc")


class Aborted(grpc.aio.AbortError):
    """A handler ended its call by a status."""

    def __init__(self, code: grpc.StatusCode, message: str, status: bytes) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Carried(grpc.GenericRpcHandler):
    """Serves streams of calls to services of the deployment."""

    def __init__(self, find: Find, prove: Callable[[Mapping[str, str], Peer], str | None], largest: int) -> None:
        """`prove` tells which service opened a stream; answers of more than `largest` bytes are not sent."""
        self._find = find
        self._prove = prove
        self._largest = largest
        self._streams: set[_Stream] = set()
        self._known: dict[str, Any] = {}
        self._handler: Any = grpc.stream_stream_rpc_method_handler(self._carry)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of the one path that this is."""
        return self._handler if handler_call_details.method == CARRY else None

    def finish(self) -> None:
        """Tells who asks that no further calls are taken; those begun are answered."""
        for stream in self._streams:
            stream.finish()

    async def _carry(self, _requests: Any, context: Any) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        peer = context.auth_context()
        if self._prove(metadata, peer) is None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "calls are carried for services of the deployment")
        stream = _Stream(self._handler_of, peer, self._largest)
        self._streams.add(stream)
        try:
            await stream.run(context)
        finally:
            self._streams.discard(stream)

    async def _handler_of(self, path: str) -> Any:
        found = self._known.get(path)
        if found is None:
            found = await self._find(path)
            if found is not None:
                self._known[path] = found
        return found


@dataclass(eq=False)
class _Stream:
    """One stream and the calls in it."""

    find: Find
    peer: Peer
    largest: int
    _running: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    _out: "Gathering[pb.CarriedAnswer | None]" = field(default_factory=Gathering)
    """Answers, and None where the stream shall end."""
    _being_written: int = 0
    _fewer: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self) -> None:
        """Takes no further calls."""
        self._out.put(None)

    async def run(self, context: Any) -> None:
        """Answers calls until no more come."""
        async with Background() as calls, Background() as writing:
            writing.spawn("answers on their way", lambda: self._write(context))
            while (message := await context.read()) is not grpc.aio.EOF:
                await self._take(message, context, calls)
                await self._at_most(MOST_IN_PROGRESS)
            await self._at_most(0)

    async def _take(self, message: bytes, context: Any, calls: Background) -> None:
        try:
            taken = pb.CarriedCalls.FromString(message)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the calls cannot be read")
        for call in taken.calls:
            # A number is used once: a second call of that name could not be told from the first.
            if call.number not in self._running:
                self._begin(call, calls)
        for number in taken.given_up:
            if number in self._running:
                self._running[number].cancel()

    def _begin(self, call: pb.CarriedCall, calls: Background) -> None:
        ends_at = asyncio.get_running_loop().time() + call.milliseconds / 1000

        def ended(_task: object) -> None:
            del self._running[call.number]
            self._fewer.set()

        task = self._running[call.number] = calls.spawn("carried call", lambda: self._serve(call, ends_at))
        task.add_done_callback(ended)

    async def _serve(self, call: pb.CarriedCall, ends_at: float) -> None:
        answer = await self._answer(call, CarriedContext(call.metadata, self.peer, ends_at))
        answer.number = call.number
        self._out.put(answer, len(answer.response) + len(answer.status))

    async def _answer(self, call: pb.CarriedCall, context: "CarriedContext") -> pb.CarriedAnswer:
        handler = await self.find(call.path)
        if handler is None or handler.unary_unary is None:
            return _failure(grpc.StatusCode.UNIMPLEMENTED, "this service has no such call")
        try:
            found = await handler.unary_unary(handler.request_deserializer(call.request), context)
            response = handler.response_serializer(found)
        except Aborted as error:
            return _failure(error.code, error.message, error.status)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller is told something)
            _log.error("RPC failed", method=call.path, exc_info=error)
            return _failure(grpc.StatusCode.UNKNOWN, "a fault of ours")
        if len(response) > self.largest:
            return _failure(grpc.StatusCode.RESOURCE_EXHAUSTED, f"the answer has {len(response)} bytes")
        return pb.CarriedAnswer(response=response)

    async def _write(self, context: Any) -> None:
        while True:
            taken = await self._out.take()
            self._being_written = len(taken)
            answers = [each for each in taken if each is not None]
            await context.write(pb.CarriedAnswers(answers=answers, ending=None in taken).SerializeToString())
            self._being_written = 0
            self._fewer.set()

    async def _at_most(self, number: int) -> None:
        """Returns when no more calls than that are in progress."""
        while len(self._running) + len(self._out) + self._being_written > number:
            self._fewer.clear()
            await self._fewer.wait()


class CarriedContext:
    """What a handler, or the guard around it, asks of its call."""

    def __init__(self, metadata: Mapping[str, str], peer: Peer, ends_at: float) -> None:
        self._metadata = metadata
        self._peer = peer
        self._ends_at = ends_at

    def invocation_metadata(self) -> Iterable[tuple[str, str]]:
        """As gRPC's own; text alone."""
        return self._metadata.items()

    def auth_context(self) -> Peer:
        """Of the connection that the stream came by."""
        return self._peer

    def time_remaining(self) -> float:
        """Seconds that the caller still waits."""
        return max(0.0, self._ends_at - asyncio.get_running_loop().time())

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """Ends the call by a status."""
        status = next((value for key, value in trailing_metadata if key == STATUS_DETAILS), b"")
        raise Aborted(code, details, status if isinstance(status, bytes) else b"")


def _failure(code: grpc.StatusCode, message: str, status: bytes = b"") -> pb.CarriedAnswer:
    return pb.CarriedAnswer(code=code.value[0], message=message, status=status)
