"""Refusals as Connect clients read them."""

import base64

from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, FieldInvalid
from services.common.rpc.errors import RemoteError
from services.gateway.call.status import (
    connect_error,
    http_status,
    not_offered,
    reason_of,
    retry_after_seconds,
    status_from,
)


def test_details_are_encoded_and_readable() -> None:
    refusal = status_from(RemoteError("not_found", "ROOM_NOT_FOUND", "no such room", metadata={"room": "x"}))
    detail = connect_error(refusal)["details"][0]
    assert detail["type"] == "google.rpc.ErrorInfo"
    assert detail["debug"] == {"reason": "ROOM_NOT_FOUND", "domain": "majlis", "metadata": {"room": "x"}}
    padded = detail["value"] + "=" * (-len(detail["value"]) % 4)
    assert error_details_pb2.ErrorInfo.FromString(base64.b64decode(padded)).reason == "ROOM_NOT_FOUND"


def test_broken_fields_are_listed() -> None:
    refusal = status_from(FieldInvalid(fields=(("code", "must be six digits"),)))
    bad = next(each for each in connect_error(refusal)["details"] if each["type"] == "google.rpc.BadRequest")
    assert bad["debug"] == {"fieldViolations": [{"field": "code", "description": "must be six digits"}]}


def test_waiting_times_are_rounded_up_to_whole_seconds() -> None:
    assert retry_after_seconds(status_from(DomainError(retry_after_seconds=0.2))) == 1
    assert retry_after_seconds(status_from(DomainError(retry_after_seconds=4.01))) == 5
    assert retry_after_seconds(status_from(DomainError())) is None


def test_what_is_not_offered_is_the_clients_mistake() -> None:
    refusal = not_offered("/a.B/C")
    assert (http_status(refusal), reason_of(refusal)) == (404, "NOT_OFFERED")


def test_a_detail_of_an_unknown_type_or_broken_bytes_is_passed_on_unread() -> None:
    refusal = status_pb2.Status(code=5)
    refusal.details.add(type_url="type.googleapis.com/some.Thing", value=b"\x01")
    refusal.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    first, second = connect_error(refusal)["details"]
    assert first == {"type": "some.Thing", "value": "AQ"}
    assert "debug" not in second
    assert reason_of(refusal) == ""


def test_a_code_from_the_future_is_unknown() -> None:
    assert http_status(status_pb2.Status(code=99)) == 500
