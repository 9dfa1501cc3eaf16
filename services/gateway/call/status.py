"""Refusals as the public protocols spell them: Connect's JSON and HTTP status codes, and gRPC's own."""

import base64
import math
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError
from services.common.rpc.errors import ERROR_DOMAIN, status_of
from services.gateway.call.forwarder import UpstreamRefused
from services.gateway.reasons import REFUSALS

# gRPC number: (Connect's name, HTTP status), https://connectrpc.com/docs/protocol#error-codes
_CODES: dict[int, tuple[str, int]] = {
    1: ("canceled", 499),
    2: ("unknown", 500),
    3: ("invalid_argument", 400),
    4: ("deadline_exceeded", 504),
    5: ("not_found", 404),
    6: ("already_exists", 409),
    7: ("permission_denied", 403),
    8: ("resource_exhausted", 429),
    9: ("failed_precondition", 400),
    10: ("aborted", 409),
    11: ("out_of_range", 400),
    # Connect maps it to 501; a path nobody offers is the client's mistake, and clients read the code of the body.
    12: ("unimplemented", 404),
    13: ("internal", 500),
    14: ("unavailable", 503),
    15: ("data_loss", 500),
    16: ("unauthenticated", 401),
}
_DETAILS: tuple[Any, ...] = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
)


def status_from(error: Exception) -> status_pb2.Status:
    """The google.rpc.Status of a refusal, whether ours or forwarded."""
    if isinstance(error, UpstreamRefused):
        return error.status
    if isinstance(error, DomainError):
        return status_of(error)
    raise error


def not_offered(path: str) -> status_pb2.Status:
    """The status for an RPC that does not exist or is not for people; which of the two is not told."""
    status = status_pb2.Status(code=REFUSALS["NOT_OFFERED"].code, message=f"{path[:200]} is not offered here")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="NOT_OFFERED", domain=ERROR_DOMAIN))
    return status


def http_status(status: status_pb2.Status) -> int:
    """The HTTP status of a gRPC one."""
    return _CODES.get(status.code, _CODES[2])[1]


def code_name(status: status_pb2.Status) -> str:
    """Connect's name of its code."""
    return _CODES.get(status.code, _CODES[2])[0]


def connect_error(status: status_pb2.Status) -> dict[str, Any]:
    """The error as Connect's JSON has it: code, message, and details both encoded and readable."""
    error: dict[str, Any] = {"code": code_name(status)}
    if status.message:
        error["message"] = status.message
    details = [_detail(each) for each in status.details]
    if details:
        error["details"] = details
    return error


def retry_after_seconds(status: status_pb2.Status) -> int | None:
    """Whole seconds for a Retry-After header, from RetryInfo."""
    for detail in status.details:
        retry = error_details_pb2.RetryInfo()
        if detail.Is(retry.DESCRIPTOR) and _unpacks(detail, retry):
            return max(1, math.ceil(float(retry.retry_delay.ToNanoseconds()) / 1e9))
    return None


def reason_of(status: status_pb2.Status) -> str:
    """The reason in its ErrorInfo; empty without one."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and _unpacks(detail, info):
            return str(info.reason)
    return ""


def _detail(detail: Any) -> dict[str, Any]:
    name = detail.TypeName()
    entry: dict[str, Any] = {"type": name, "value": base64.b64encode(detail.value).decode().rstrip("=")}
    for kind in _DETAILS:
        message = kind()
        if detail.Is(message.DESCRIPTOR) and _unpacks(detail, message):
            entry["debug"] = json_format.MessageToDict(message)
    return entry


def _unpacks(detail: Any, message: Any) -> bool:
    try:
        return bool(detail.Unpack(message))
    except DecodeError:
        return False
