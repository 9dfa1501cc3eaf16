"""The whole contract of auth for tests: what plays all its services, and what calls them."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from majlis.auth.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    operator_service_pb2,
    operator_service_pb2_grpc,
    personal_token_service_pb2,
    personal_token_service_pb2_grpc,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)

AUTH: tuple[tuple[Callable[[Any, Any], None], ServiceDescriptor], ...] = (
    (
        sign_in_service_pb2_grpc.add_SignInServiceServicer_to_server,
        sign_in_service_pb2.DESCRIPTOR.services_by_name["SignInService"],
    ),
    (
        account_service_pb2_grpc.add_AccountServiceServicer_to_server,
        account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    ),
    (
        personal_token_service_pb2_grpc.add_PersonalTokenServiceServicer_to_server,
        personal_token_service_pb2.DESCRIPTOR.services_by_name["PersonalTokenService"],
    ),
    (
        operator_service_pb2_grpc.add_OperatorServiceServicer_to_server,
        operator_service_pb2.DESCRIPTOR.services_by_name["OperatorService"],
    ),
    (
        identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
        identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"],
    ),
)
"""Each service of auth, as a server takes it."""


class AuthServicer(
    sign_in_service_pb2_grpc.SignInServiceServicer,
    account_service_pb2_grpc.AccountServiceServicer,
    personal_token_service_pb2_grpc.PersonalTokenServiceServicer,
    operator_service_pb2_grpc.OperatorServiceServicer,
    identity_service_pb2_grpc.IdentityServiceServicer,
):
    """What plays auth and answers only what it is asked in its tests."""


class AuthStub:
    """The RPCs of all services of auth over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for stub in (
            sign_in_service_pb2_grpc.SignInServiceStub,
            account_service_pb2_grpc.AccountServiceStub,
            personal_token_service_pb2_grpc.PersonalTokenServiceStub,
            operator_service_pb2_grpc.OperatorServiceStub,
            identity_service_pb2_grpc.IdentityServiceStub,
        ):
            vars(self).update(vars(stub(channel)))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"auth has no RPC {name}")
