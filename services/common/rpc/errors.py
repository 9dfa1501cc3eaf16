"""Turns refusals into gRPC statuses with machine-readable details, and such statuses back into refusals."""

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, FieldInvalid, Kind, PartUnavailable, TooSlow

ERROR_DOMAIN = "majlis"
STATUS_DETAILS = "grpc-status-details-bin"
_LONGEST_MESSAGE = 512

_CODES: dict[Kind, grpc.StatusCode] = {
    "invalid_argument": grpc.StatusCode.INVALID_ARGUMENT,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "already_exists": grpc.StatusCode.ALREADY_EXISTS,
    "failed_precondition": grpc.StatusCode.FAILED_PRECONDITION,
    "permission_denied": grpc.StatusCode.PERMISSION_DENIED,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "resource_exhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "aborted": grpc.StatusCode.ABORTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "deadline_exceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "internal": grpc.StatusCode.INTERNAL,
}
_KINDS: dict[grpc.StatusCode, Kind] = {code: kind for kind, code in _CODES.items()}
_NUMBERS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class RemoteError(DomainError):
    """A refusal of another service, with its kind, reason and details kept."""

    def __init__(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        # Kind and reason are the class's elsewhere; here each instance has those it was sent.
        self.kind = kind  # type: ignore[misc]
        self.reason = reason  # type: ignore[misc]
        super().__init__(message or reason, retry_after_seconds=retry_after_seconds, metadata=metadata)


def code_of(error: DomainError) -> grpc.StatusCode:
    """The gRPC status code of a refusal."""
    return _CODES[error.kind]


def status_of(error: DomainError) -> status_pb2.Status:
    """The whole status of a refusal: ErrorInfo, and RetryInfo and BadRequest where they apply (google.rpc)."""
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata)
    ]
    if error.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(retry)
    if isinstance(error, FieldInvalid):
        bad = error_details_pb2.BadRequest()
        for path, problem in error.fields:
            bad.field_violations.add(field=path, description=problem)
        details.append(bad)
    # A refusal that quotes what it refuses may quote what is no text.
    message = error.message[:_LONGEST_MESSAGE].encode(errors="replace").decode()
    status = status_pb2.Status(code=code_of(error).value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def error_from(status: status_pb2.Status) -> RemoteError:
    """The refusal a status stands for; without ErrorInfo of ours, what its code alone tells."""
    kind = _KINDS.get(code_from(status.code), "internal")
    reason, metadata, retry_after = "", {}, None
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if _unpack(detail, info) and info.domain == ERROR_DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif _unpack(detail, retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return RemoteError(
        kind, reason or _reason_of(kind), status.message, retry_after_seconds=retry_after, metadata=metadata
    )


def raise_for(error: grpc.RpcError) -> DomainError:
    """Gives the refusal behind a failed call; raise it from the error."""
    code, message, trailing = grpc.StatusCode.UNKNOWN, "", None
    if isinstance(error, grpc.aio.AioRpcError):
        code, message, trailing = error.code(), error.details() or "", error.trailing_metadata()
    for key, value in trailing or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            status = status_pb2.Status()
            try:
                status.ParseFromString(value)
            except DecodeError:
                break
            return error_from(status)
    return error_from(status_pb2.Status(code=code.value[0], message=message))


def code_from(number: int) -> grpc.StatusCode:
    """On the wire codes are numbers; UNKNOWN for one that gRPC does not have."""
    return _NUMBERS.get(number, grpc.StatusCode.UNKNOWN)


def _unpack(detail: AnyMessage, message: Any) -> bool:
    return bool(detail.Is(message.DESCRIPTOR)) and bool(detail.Unpack(message))


def _reason_of(kind: Kind) -> str:
    if kind == "unavailable":
        return PartUnavailable.reason
    return TooSlow.reason if kind == "deadline_exceeded" else DomainError.reason
