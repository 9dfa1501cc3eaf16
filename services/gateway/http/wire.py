"""The unary protocols of the public API: Connect with JSON or protobuf, and gRPC-web."""

import base64
import re
import struct
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.rpc.errors import STATUS_DETAILS, status_of
from services.gateway.call.status import connect_error, http_status, retry_after_seconds
from services.gateway.domain.errors import BodyInvalid
from services.gateway.http.asgi import Header, Response, json_response
from services.gateway.messages.json_writer import to_json
from services.gateway.messages.reading import as_bytes, parse_json, readable
from services.gateway.reasons import refusal_of, refuse

_NO_STORE: Header = (b"cache-control", b"no-store")
_TRAILERS = 0x80
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*={0,2}")
_BASE64_PIECE = re.compile(rb"[^=]*=*", re.DOTALL)


class Wire(Protocol):
    """How one protocol spells requests, responses and refusals."""

    needs_message: bool
    """Whether bytes alone do not do: the response must be a message to be written."""

    def request(self, body: bytes, message_type: type[Message], /) -> bytes | Message:
        """The request's protobuf bytes, or the message. Raises BodyInvalid."""
        ...

    def response(self, message: bytes | Message) -> Response:
        """The HTTP response that carries it."""
        ...

    def error(self, status: status_pb2.Status) -> Response:
        """The HTTP response of a refusal."""
        ...


class _ConnectJson:
    """Connect unary with protobuf's JSON mapping."""

    needs_message = True

    def request(self, body: bytes, message_type: type[Message], /) -> bytes | Message:
        return parse_json(body or b"{}", message_type)

    def response(self, message: bytes | Message) -> Response:
        assert isinstance(message, Message)
        return Response(200, [(b"content-type", b"application/json"), _NO_STORE], to_json(message))

    def error(self, status: status_pb2.Status) -> Response:
        return connect_refusal(status)


class _ConnectProto:
    """Connect unary with protobuf bytes."""

    needs_message = False

    def request(self, body: bytes, message_type: type[Message], /) -> bytes | Message:
        return readable(body, message_type)

    def response(self, message: bytes | Message) -> Response:
        return Response(200, [(b"content-type", b"application/proto"), _NO_STORE], as_bytes(message))

    def error(self, status: status_pb2.Status) -> Response:
        return connect_refusal(status)


class _GrpcWeb:
    """gRPC-web: the frames of gRPC with trailers in the body, as they are or in base64."""

    needs_message = False

    def __init__(self, *, text: bool) -> None:
        self._text = text
        self._type = b"application/grpc-web-text+proto" if text else b"application/grpc-web+proto"

    def request(self, body: bytes, message_type: type[Message], /) -> bytes | Message:
        return readable(unframe(from_text(body) if self._text else body), message_type)

    def response(self, message: bytes | Message) -> Response:
        return self._answer(frame(0, as_bytes(message)) + trailers(status_pb2.Status()))

    def error(self, status: status_pb2.Status) -> Response:
        return self._answer(trailers(status))

    def _answer(self, body: bytes) -> Response:
        return Response(200, [(b"content-type", self._type), _NO_STORE], base64.b64encode(body) if self._text else body)


_WIRES: dict[str, Wire] = {
    "application/json": _ConnectJson(),
    "application/proto": _ConnectProto(),
    "application/grpc-web": _GrpcWeb(text=False),
    "application/grpc-web+proto": _GrpcWeb(text=False),
    "application/grpc-web-text": _GrpcWeb(text=True),
    "application/grpc-web-text+proto": _GrpcWeb(text=True),
}
ACCEPTED = ", ".join(_WIRES)


def wire_for(content_type: str) -> Wire | None:
    """The protocol a content type stands for, or None."""
    return _WIRES.get(content_type)


def message_of(query: Mapping[str, bytes]) -> bytes:
    """The message in the query of a Connect GET. Raises BodyInvalid."""
    if query.get("connect", b"v1") != b"v1":
        raise BodyInvalid("the query's connect must be v1")
    message = query.get("message", b"")
    if "base64" not in query:
        return message
    if query["base64"] != b"1":
        raise BodyInvalid("the query's base64 must be 1, or left out")
    if _BASE64URL.fullmatch(message) is None:
        raise BodyInvalid("the message is not base64url")
    try:
        return base64.urlsafe_b64decode(message + b"=" * (-len(message) % 4))
    except ValueError:
        raise BodyInvalid("the message is not base64url") from None


def from_text(body: bytes) -> bytes:
    """What a body of gRPC-web-text stands for: base64, of the whole or of one piece after the other.

    Raises BodyInvalid.
    """
    try:
        return b"".join(base64.b64decode(piece, validate=True) for piece in _BASE64_PIECE.findall(body))
    except ValueError:
        raise BodyInvalid("the body is not base64") from None


def connect_refusal(status: status_pb2.Status) -> Response:
    """A refusal in Connect's JSON, whatever the codec of the request."""
    wait = retry_after_seconds(status)
    headers = [] if wait is None else [(b"retry-after", str(wait).encode())]
    return json_response(http_status(status), connect_error(status), *headers)


def unsupported(message: str, *headers: Header) -> Response:
    """415, as Connect has it for a body in an encoding that is not known, with the reason that all refusals carry."""
    reason = "MEDIA_TYPE_UNSUPPORTED"
    status = status_of(refuse(reason, message))
    return json_response(refusal_of(reason).http_status, connect_error(status), *headers)


def refusal(content_type: str, status: status_pb2.Status) -> Response:
    """A refusal in the protocol of a request whose RPC was not reached."""
    wire = wire_for(content_type)
    return connect_refusal(status) if wire is None else wire.error(status)


def frame(flags: int, payload: Any) -> bytes:
    """One length-prefixed frame, as gRPC-web and Connect streams have them."""
    return struct.pack(">BI", flags, len(payload)) + bytes(payload)


def unframe(body: bytes) -> bytes:
    """The payload of a body that is exactly one uncompressed frame. Raises BodyInvalid."""
    if len(body) < 5 or body[0] != 0 or struct.unpack(">I", body[1:5])[0] != len(body) - 5:
        raise BodyInvalid("the body is not one uncompressed message")
    return body[5:]


def trailers(status: status_pb2.Status) -> bytes:
    """gRPC-web's last frame: the status, with its details, as the trailers gRPC would send."""
    lines = [f"grpc-status: {status.code}", f"grpc-message: {quote(status.message)}"]
    if status.details:
        details = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
        lines.append(f"{STATUS_DETAILS}: {details}")
    return frame(_TRAILERS, "".join(f"{line}\r\n" for line in lines).encode())
