"""Refusals survive the way over the wire, and policies are read from the contract."""

from typing import get_args

import grpc
import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]
from majlis.auth.v1 import account_service_pb2, auth_errors_pb2, identity_service_pb2, operator_service_pb2
from majlis.contract.v1 import options_pb2

from services.common import errors
from services.common.errors import Conflict, DomainError, FieldInvalid, Kind
from services.common.rpc.errors import RemoteError, error_from, raise_for, status_of
from services.common.rpc.policy import policies_of
from services.common.rpc.reasons import kind_of, refusals_of
from services.common.rpc.server import documented_reasons

ACCOUNT = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]
IDENTITY = identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"]
OPERATOR = operator_service_pb2.DESCRIPTOR.services_by_name["OperatorService"]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_refusal_survives_the_wire(kind: Kind) -> None:
    sent = RemoteError(kind, "SOME_REASON", "in words", retry_after_seconds=0.25, metadata={"a": "b"})
    got = error_from(status_of(sent))
    assert (got.kind, got.reason, got.message, got.metadata) == (kind, "SOME_REASON", "in words", {"a": "b"})
    assert got.retry_after_seconds == 0.25


def test_reasons_are_those_of_the_class_unless_they_came_from_afar() -> None:
    RemoteError("not_found", "ELSEWHERE", "x")
    assert (Conflict.kind, Conflict.reason, RemoteError.reason) == ("aborted", "CONFLICT", "INTERNAL")


def test_a_status_without_details_still_has_a_kind() -> None:
    assert error_from(status_pb2.Status(code=14, message="gone")).reason == "PART_UNAVAILABLE"
    assert error_from(status_pb2.Status(code=4)).reason == "TOO_SLOW"
    assert error_from(status_pb2.Status(code=2)).kind == "internal"
    assert error_from(status_pb2.Status(code=999)).kind == "internal"


def test_details_that_cannot_be_read_do_not_hide_the_code() -> None:
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), metadata, details="no such thing")
    assert (raise_for(error).kind, raise_for(error).message) == ("not_found", "no such thing")


def test_a_message_of_any_length_fits_into_a_status() -> None:
    assert len(status_of(Conflict("x" * 100_000)).SerializeToString()) < 2_000


def test_broken_fields_are_part_of_the_message() -> None:
    assert FieldInvalid(fields=(("handle", "is too long"),)).message == "handle: is too long"


def test_reasons_of_an_enum_lose_its_prefix_and_its_zero() -> None:
    reasons = refusals_of(auth_errors_pb2.AuthErrorReason.DESCRIPTOR)
    assert "HANDLE_TAKEN" in reasons
    assert "UNSPECIFIED" not in reasons
    assert not any(reason.startswith("AUTH_ERROR") for reason in reasons)


def test_a_services_documented_reasons_are_its_own_and_the_common_ones() -> None:
    reasons = documented_reasons(ACCOUNT)
    assert {"HANDLE_TAKEN", "TOO_SLOW", "CONFLICT"} <= reasons.keys()


def test_every_reason_of_the_plumbing_is_documented() -> None:
    own = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DomainError)]
    assert len(own) > 5
    documented = documented_reasons(ACCOUNT)
    assert {each.reason: each.kind for each in own} == {each.reason: kind_of(documented[each.reason]) for each in own}


def test_an_enum_that_does_not_say_what_to_do_about_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="CALLER_PUBLIC does not say its status"):
        refusals_of(options_pb2.Caller.DESCRIPTOR)


def test_policies_come_from_the_contract() -> None:
    policies = policies_of(IDENTITY) | policies_of(OPERATOR)
    keys = policies["/majlis.auth.v1.IdentityService/GetKeySet"]
    assert (keys.kind, keys.no_side_effects, keys.needs_token) == (options_pb2.CALLER_PUBLIC, True, False)
    create = policies["/majlis.auth.v1.IdentityService/CreateAccount"]
    assert (create.kind, sorted(create.services)) == (options_pb2.CALLER_SERVICE, ["invite"])
    assert policies["/majlis.auth.v1.OperatorService/ListAccounts"].needs_token
