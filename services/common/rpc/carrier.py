"""A channel whose unary calls share one stream: a call costs a part of a message there, and no stream of its own.

What a call of gRPC costs is mostly threads that wake one another, twice or thrice at each end, whatever it is about.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError
from majlis.contract.v1 import carried_pb2 as pb

from services.common.rpc.errors import STATUS_DETAILS, code_from
from services.common.rpc.gathering import MOST_GATHERED_BYTES, Gathering
from services.common.tasks import Background

CARRY = "/majlis.contract.v1.Carrier/Carry"
MOST_UNANSWERED = 20_000
"""Calls in one stream; one more is told at once that its service is away."""
DEFAULT_SECONDS = 10.0
CALL_BY_CALL_SECONDS = 60.0
"""How long a service that does not carry is asked call by call before it is tried again."""
MOST_METADATA_BYTES = 8 * 1024
_NO_CARRIER = (
    grpc.StatusCode.UNIMPLEMENTED,
    # It carries for services of its deployment only; what it lets others do it decides for each call.
    grpc.StatusCode.PERMISSION_DENIED,
)

Metadata = Collection[tuple[str, str]]
Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


@dataclass(slots=True, eq=False)
class _Call:
    """One call, from when it is asked for until it is answered."""

    method: "_Method"
    message: Any
    request: bytes
    metadata: dict[str, str]
    ends_at: float
    """By the loop's clock."""
    answer: "asyncio.Future[Any]"
    number: int = 0
    expiry: asyncio.TimerHandle | None = None


class CarryingChannel(grpc.aio.Channel):
    """A channel as stubs know it; `proof` is the metadata by which its owner proves which service it is."""

    def __init__(self, channel: grpc.aio.Channel, proof: Iterable[tuple[str, str]]) -> None:
        self._channel = channel
        self._proof = tuple(proof)
        self._background = Background()
        self._stream: _Stream | None = None
        self._call_by_call_until = 0.0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes it; calls in progress fail."""
        self._closed = True
        await self._background.stop()
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """As gRPC's own."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As gRPC's own."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As gRPC's own."""
        await self._channel.channel_ready()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        **kwargs: Any,
    ) -> Any:
        """An RPC whose calls are carried."""
        alone = self._channel.unary_unary(method, request_serializer, response_deserializer, **kwargs)
        return _Method(self, method, alone, request_serializer or bytes, response_deserializer or bytes)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return self._channel.unary_stream(*args, **kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return self._channel.stream_unary(*args, **kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return self._channel.stream_stream(*args, **kwargs)

    def begin(self, method: "_Method", message: Any, timeout: float | None, metadata: Metadata) -> Any:
        """Begins a call: something to wait for, and to cancel."""
        request, loop = method.serialize(message), asyncio.get_running_loop()
        words, now = sum([len(key) + len(value) for key, value in metadata]), loop.time()
        too_large = len(request) > MOST_GATHERED_BYTES or words > MOST_METADATA_BYTES
        if self._closed or too_large or now < self._call_by_call_until:
            return method.alone(message, timeout=timeout, metadata=tuple(metadata))
        seconds = DEFAULT_SECONDS if timeout is None else timeout
        call = _Call(method, message, request, dict(metadata), now + seconds, loop.create_future())
        stream = self._stream
        if stream is None or not stream.takes_calls:
            stream = self._stream = _Stream(self._channel, self._proof)
            self._background.spawn("carried calls", lambda: self._run(stream))
        stream.add(call, len(request) + words)
        return call.answer

    async def _run(self, stream: "_Stream") -> None:
        why = "the connection was closed"
        try:
            await stream.run()
        except grpc.aio.AioRpcError as error:
            why = f"the connection broke: {error.details()}"
            if error.code() in _NO_CARRIER:
                self._call_by_call_until = asyncio.get_running_loop().time() + CALL_BY_CALL_SECONDS
                await asyncio.gather(*(_ask_alone(call) for call in stream.left()))
        finally:
            stream.fail(why)


@dataclass(frozen=True, slots=True)
class _Method:
    """What a stub calls for one RPC."""

    channel: CarryingChannel
    path: str
    alone: Any
    """The same RPC as gRPC has it, a stream for each call."""
    serialize: Serializer
    deserialize: Deserializer

    def __call__(
        self, request: Any, *, timeout: float | None = None, metadata: Metadata | None = None, **_more: Any
    ) -> Any:
        return self.channel.begin(self, request, timeout, metadata or ())


@dataclass(eq=False)
class _Stream:
    """One stream and the calls in it."""

    channel: grpc.aio.Channel
    proof: tuple[tuple[str, str], ...]
    takes_calls: bool = True
    _calls: dict[int, _Call] = field(default_factory=dict)
    _out: "Gathering[_Call | int | None]" = field(default_factory=Gathering)
    """Calls that begin, numbers of those given up, and None at the end."""
    _last: int = 0

    def add(self, call: _Call, size: int) -> None:
        """Sends a call of so many bytes, or fails it when too many are unanswered."""
        if len(self._calls) >= MOST_UNANSWERED:
            call.answer.set_exception(_error(grpc.StatusCode.UNAVAILABLE, "too many calls wait for this service"))
            return
        self._last += 1
        call.number = self._last
        self._calls[call.number] = call
        call.expiry = asyncio.get_running_loop().call_at(call.ends_at, self._expire, call)
        call.answer.add_done_callback(lambda answer: self._give_up(call) if answer.cancelled() else None)
        self._out.put(call, size)

    async def run(self) -> None:
        """Carries calls until the stream ends. Raises AioRpcError when it breaks."""
        stream: Any = self.channel.stream_stream(CARRY)(metadata=self.proof)
        try:
            async with Background() as background:
                background.spawn("calls on their way", lambda: self._write(stream))
                while (message := await stream.read()) is not grpc.aio.EOF:
                    self._hear(pb.CarriedAnswers.FromString(message))
        except DecodeError as error:
            raise _error(grpc.StatusCode.INTERNAL, "an answer cannot be read") from error
        finally:
            self.takes_calls = False
            stream.cancel()

    def left(self) -> list[_Call]:
        """The calls that have no answer."""
        return list(self._calls.values())

    def fail(self, why: str) -> None:
        """Ends every call that has no answer: however the stream ended, its service is away for them."""
        self.takes_calls = False
        for call in self.left():
            self._close(call)
            if not call.answer.done():
                call.answer.set_exception(_error(grpc.StatusCode.UNAVAILABLE, why))

    async def _write(self, stream: Any) -> None:
        # Where the stream is over, its reader says so.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            taken: list[_Call | int | None] = []
            while None not in taken:
                taken = await self._out.take()
                await stream.write(self._message(taken).SerializeToString())
            await stream.done_writing()

    def _message(self, taken: "list[_Call | int | None]") -> pb.CarriedCalls:
        now, message = asyncio.get_running_loop().time(), pb.CarriedCalls()
        for each in taken:
            if isinstance(each, int):
                message.given_up.append(each)
            elif each is not None and each.number in self._calls:
                message.calls.add(
                    number=each.number,
                    path=each.method.path,
                    request=each.request,
                    metadata=each.metadata,
                    milliseconds=max(1, round(1000 * (each.ends_at - now))),
                )
        return message

    def _hear(self, message: pb.CarriedAnswers) -> None:
        for answer in message.answers:
            call = self._calls.get(answer.number)
            if call is not None:
                self._close(call)
                _settle(call, answer)
        if message.ending and self.takes_calls:
            self.takes_calls = False
            self._out.put(None)

    def _expire(self, call: _Call) -> None:
        if not call.answer.done():
            self._give_up(call)
            call.answer.set_exception(_error(grpc.StatusCode.DEADLINE_EXCEEDED, "the answer was not there in time"))

    def _give_up(self, call: _Call) -> None:
        self._close(call)
        if self.takes_calls:
            self._out.put(call.number)

    def _close(self, call: _Call) -> None:
        self._calls.pop(call.number, None)
        if call.expiry is not None:
            call.expiry.cancel()


def _settle(call: _Call, answer: pb.CarriedAnswer) -> None:
    if call.answer.done():
        return
    if answer.code:
        call.answer.set_exception(_error(code_from(answer.code), answer.message, answer.status))
        return
    try:
        call.answer.set_result(call.method.deserialize(answer.response))
    except DecodeError as error:
        call.answer.set_exception(_error(grpc.StatusCode.INTERNAL, f"the answer cannot be read: {error}"))


async def _ask_alone(call: _Call) -> None:
    seconds = call.ends_at - asyncio.get_running_loop().time()
    try:
        found = await call.method.alone(
            call.message, timeout=max(0.001, seconds), metadata=tuple(call.metadata.items())
        )
    except grpc.aio.AioRpcError as error:
        if not call.answer.done():
            call.answer.set_exception(error)
    else:
        if not call.answer.done():
            call.answer.set_result(found)


def _error(code: grpc.StatusCode, details: str, status: bytes = b"") -> grpc.aio.AioRpcError:
    """A failed call as gRPC tells of it."""
    trailing = grpc.aio.Metadata((STATUS_DETAILS, status)) if status else grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)
