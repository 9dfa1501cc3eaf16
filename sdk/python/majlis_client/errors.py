"""The one exception of this library: why the server, or the way to it, refused."""

from collections.abc import Mapping

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from majlis.contract.v1 import options_pb2

from majlis_client.reasons import NEW_SEAT_OR_PERMIT, WAIT, remedy_of

ERROR_DOMAIN = "majlis"
# Of what no contract knows: a connection that breaks, a server from the future.
_PASSING_KINDS = frozenset({"unavailable", "deadline_exceeded", "aborted", "unknown"})
_STATUS_DETAILS = "grpc-status-details-bin"


class MajlisError(Exception):
    """A refusal.

    Attributes:
        kind: How to react, a gRPC code in snake case: not_found, unavailable, ...
        reason: What exactly, a value of the service's documented error enum: ROOM_FULL, HANDS_OFF, ...
        message: A sentence in English.
        retry_after_seconds: When trying again may help, or None.
        metadata: Values that explain the refusal.
    """

    def __init__(
        self,
        kind: str,
        reason: str,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{message} ({reason})")
        self.kind = kind
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})

    @property
    def passing(self) -> bool:
        """Whether the same call may well succeed a moment later."""
        remedy = remedy_of(self.reason)
        return self.kind in _PASSING_KINDS if remedy is None else remedy in WAIT

    @property
    def wants_token(self) -> bool:
        """Whether a fresh access token may help."""
        return self.kind == "unauthenticated" and remedy_of(self.reason) == options_pb2.REMEDY_NEW_TOKEN

    @property
    def wants_seat(self) -> bool:
        """Whether taking the seat again, or a new permit, puts it right."""
        return remedy_of(self.reason) in NEW_SEAT_OR_PERMIT

    @property
    def outside(self) -> bool:
        """Whether it was refused because the caller has no seat in the room."""
        return self.reason == "NOT_IN_ROOM" or (self.reason == "NOT_ALLOWED" and self.metadata.get("role") == "outside")


def from_rpc(error: grpc.aio.AioRpcError) -> MajlisError:
    """The refusal behind a failed RPC."""
    kind, message = error.code().name.lower(), error.details() or ""
    reason, metadata, retry_after = error.code().name, {}, None
    for detail in _details(error):
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return MajlisError(kind, reason, message, retry_after_seconds=retry_after, metadata=metadata)


def _details(error: grpc.aio.AioRpcError) -> list[Any]:
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                return []
    return list(status.details)
