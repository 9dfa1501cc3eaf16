"""The unary protocols of the public API: Connect with JSON or protobuf, and gRPC-web."""

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.rpc_errors import STATUS_DETAILS
from services.gateway.domain.errors import BodyInvalid
from services.gateway.http.asgi import Header, Response, json_response
from services.gateway.json_writer import to_json
from services.gateway.status import connect_error, http_status, retry_after_seconds

_NO_STORE: Header = (b"cache-control", b"no-store")
_TRAILERS = 0x80


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

    def request(self, body: bytes, _message_type: type[Message], /) -> bytes | Message:
        return body

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

    def request(self, body: bytes, _message_type: type[Message], /) -> bytes | Message:
        if self._text:
            try:
                body = base64.b64decode(body, validate=True)
            except binascii.Error:
                raise BodyInvalid("the body is not base64") from None
        return unframe(body)

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


def message_of(query: Mapping[str, str]) -> bytes:
    """The message in the query of a Connect GET. Raises BodyInvalid."""
    text = query.get("message", "")
    if query.get("base64") != "1":
        return text.encode("latin-1", "replace")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BodyInvalid("the message is not base64url") from None


def connect_refusal(status: status_pb2.Status) -> Response:
    """A refusal in Connect's JSON, whatever the codec of the request."""
    wait = retry_after_seconds(status)
    headers = [] if wait is None else [(b"retry-after", str(wait).encode())]
    return json_response(http_status(status), connect_error(status), *headers)


def parse_json(body: bytes, message_type: type[Message]) -> Message:
    """A message from its JSON form; fields this version does not know are skipped. Raises BodyInvalid."""
    message = message_type()
    try:
        value = json.loads(body)
        json_format.ParseDict(value, message, ignore_unknown_fields=True)
    except RecursionError:
        raise BodyInvalid("the body is nested too deeply") from None
    except (json_format.ParseError, ValueError, TypeError, AttributeError, KeyError) as error:
        # The parser meets values of a wrong kind with errors of many kinds.
        raise BodyInvalid(f"the body is not a {message_type.DESCRIPTOR.name}: {str(error)[:200]}") from None
    return message


def parse_proto(body: bytes, message_type: type[Message]) -> Message:
    """A message from its bytes. Raises BodyInvalid."""
    try:
        return message_type.FromString(body)
    except DecodeError:
        raise BodyInvalid(f"the body is not a {message_type.DESCRIPTOR.name}") from None


def as_bytes(message: bytes | Message) -> bytes:
    """Protobuf bytes of what may be bytes already."""
    return message if isinstance(message, bytes) else message.SerializeToString()


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
