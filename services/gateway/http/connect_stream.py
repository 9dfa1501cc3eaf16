"""The server-streaming RPCs over HTTP: Connect streams with JSON or protobuf, and gRPC-web."""

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.gateway.call.calls import Calls
from services.gateway.call.offered import Offered
from services.gateway.call.status import connect_error
from services.gateway.http.asgi import Disconnected, Header, Request, Response, Send, method_not_allowed
from services.gateway.http.caller import Callers
from services.gateway.http.wire import frame, from_text, trailers, unframe, unsupported
from services.gateway.messages.json_writer import to_json
from services.gateway.messages.reading import parse_json, readable

_END = 0x02
_JSON = "application/connect+json"
_PROTO = "application/connect+proto"
_WEB = ("application/grpc-web", "application/grpc-web+proto")
_WEB_TEXT = ("application/grpc-web-text", "application/grpc-web-text+proto")
_KNOWN = (_JSON, _PROTO, *_WEB, *_WEB_TEXT)


@dataclass(frozen=True, slots=True)
class ConnectStream:
    """Serves RPCs that stream their responses; their errors are in the last frame, whatever happens."""

    calls: Calls
    callers: Callers

    def serves(self, path: str) -> bool:
        offered = self.calls.catalogue.find(path)
        return offered is not None and offered.policy.streams_out

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> int:
        """Streams until the RPC or the client ends; returns the HTTP status."""
        offered = self.calls.catalogue.find(request.path)
        assert offered is not None
        content_type = request.content_type()
        refusal: Response | None = None
        if request.method != "POST":
            refusal = method_not_allowed("POST")
        elif content_type not in _KNOWN:
            accepted = (b"accept-post", ", ".join(_KNOWN).encode())
            refusal = unsupported(f"send one of {', '.join(_KNOWN)}", accepted)
        if refusal is not None:
            refusal.headers.extend(headers)
            await refusal.send(send)
            return refusal.status
        kind = [(b"content-type", content_type.encode()), (b"cache-control", b"no-store"), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        write = to_frame_json(offered) if content_type == _JSON else _frame
        if content_type in _WEB_TEXT:
            write = _frame_text
        async with _while_connected(request):
            status = await self._pass_on(request, offered, send, write)
            last = _end_of_stream(status) if content_type in (_JSON, _PROTO) else trailers(status)
            if content_type in _WEB_TEXT:
                last = base64.b64encode(last)
            await send({"type": "http.response.body", "body": last, "more_body": False})
        return 200

    async def _pass_on(
        self, request: Request, offered: Offered, send: Send, write: Callable[[bytes], bytes]
    ) -> status_pb2.Status:
        async def message() -> bytes | Message:
            body = await request.body()
            body = unframe(from_text(body) if request.content_type() in _WEB_TEXT else body)
            if request.content_type() == _JSON:
                return parse_json(body or b"{}", offered.request_type)
            return readable(body, offered.request_type)

        try:
            with suppress(Disconnected):
                caller = self.callers.identify(request)
                async with aclosing(self.calls.stream(offered, caller, message)) as responses:
                    async for response in responses:
                        await send({"type": "http.response.body", "body": write(response), "more_body": True})
        except Exception as error:  # noqa: BLE001 (what is no refusal is logged; the client learns that it happened)
            return self.calls.refusal(offered, error)
        return status_pb2.Status()


class _while_connected:  # noqa: N801 (reads as the statement it is)
    """Ends the block when the client goes away."""

    def __init__(self, request: Request) -> None:
        self._connection = request.connection
        self._task = asyncio.current_task()
        self._lost = False

    async def __aenter__(self) -> None:
        if self._connection is not None:
            self._connection.on_lost = self._on_lost
            if self._connection.is_lost:
                self._on_lost()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if self._connection is not None:
            self._connection.on_lost = None
        if self._lost and self._task is not None:
            self._task.uncancel()
            return kind is asyncio.CancelledError
        return False

    def _on_lost(self) -> None:
        self._lost = True
        if self._task is not None:
            self._task.cancel()


def to_frame_json(offered: Offered) -> Callable[[bytes], bytes]:
    """Writes serialised responses of an RPC as frames of JSON."""
    return lambda response: frame(0, to_json(offered.response_type.FromString(response)))


def _frame(response: bytes) -> bytes:
    return frame(0, response)


def _frame_text(response: bytes) -> bytes:
    # Each piece of base64 ends with its own padding, so that a reader can take what is there.
    return base64.b64encode(frame(0, response))


def _end_of_stream(status: status_pb2.Status) -> bytes:
    end = {"error": connect_error(status)} if status.code else {}
    return frame(_END, json.dumps(end).encode())
