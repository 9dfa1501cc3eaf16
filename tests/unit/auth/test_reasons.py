"""Every refusal of auth and invite stands in its contract, and every reason of the contract is used."""

import inspect
from types import ModuleType

import pytest
from majlis.auth.v1 import auth_errors_pb2
from majlis.invite.v1 import invite_errors_pb2

from services.auth.domain import errors as auth_errors
from services.common.errors import DomainError
from services.invite.domain import errors as invite_errors


@pytest.mark.parametrize(
    ("module", "prefix", "names"),
    [
        (auth_errors, "AUTH_ERROR_REASON_", auth_errors_pb2.AuthErrorReason.keys()),
        (invite_errors, "INVITE_ERROR_REASON_", invite_errors_pb2.InviteErrorReason.keys()),
    ],
)
def test_reasons_of_code_and_contract_are_the_same(module: ModuleType, prefix: str, names: list[str]) -> None:
    raised = {
        found.reason
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, DomainError) and found is not DomainError
    }
    assert raised == {name.removeprefix(prefix) for name in names} - {"UNSPECIFIED"}
