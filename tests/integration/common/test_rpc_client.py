"""A channel between services: credentials, deadlines, retries, refusals as exceptions, mutual TLS."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from majlis.auth.v1 import account_pb2, account_service_pb2, identity_service_pb2, sign_in_service_pb2

from services.common.errors import DomainError
from services.common.rpc.client import RemoteError, ServiceChannel, as_user
from services.common.rpc.server import RpcServer, current_caller
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from tests.support.auth_contract import AUTH, AuthServicer, AuthStub
from tests.support.certificates import Authority
from tests.support.processes import free_port
from tests.support.rpc_harness import USER_ID, RpcHarness, TokenMint, serving, test_settings


class HandleTaken(DomainError):
    """A documented refusal."""

    kind = "already_exists"
    reason = "HANDLE_TAKEN"


class Auth(AuthServicer):
    """Keys are public, profiles are for services, and a deletion asks another service for the keys."""

    def __init__(self) -> None:
        self.callers: list[Any] = []
        self.next: Any = None

    async def GetKeySet(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller())
        return identity_service_pb2.GetKeySetResponse(jwks_json="{}")

    async def BatchGetProfiles(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller())
        await asyncio.sleep(0.3 if request.user_ids else 0)
        return identity_service_pb2.BatchGetProfilesResponse()

    async def CreateAccount(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller())
        raise HandleTaken("taken", retry_after_seconds=2.0, metadata={"handle": "lina"})

    async def GetMe(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller())
        if self.next is not None:
            await self.next.GetKeySet(identity_service_pb2.GetKeySetRequest(), metadata=as_user())
        return account_service_pb2.GetMeResponse()

    async def ListSignIns(self, request: Any, context: Any) -> Any:
        await self.next.CreateAccount(ACCOUNT)
        return sign_in_service_pb2.ListSignInsResponse()


ACCOUNT = identity_service_pb2.CreateAccountRequest(
    redemption_id="redemption0001",
    inviter_id="inviter0000001",
    profile=account_pb2.NewProfile(handle="lina", display_name="Lina"),
)


@pytest.fixture
def servicer() -> Auth:
    return Auth()  # type: ignore[abstract]


@pytest.fixture
async def served(servicer: Auth) -> AsyncIterator[RpcHarness]:
    (add, service), *more = AUTH
    async with serving(servicer, add, service, name="auth", more=more) as harness:
        yield harness


def stub_for(served: RpcHarness, name: str) -> Any:
    return AuthStub(served.service_channel(name).channel)


async def test_the_channel_proves_its_service(served: RpcHarness, servicer: Auth) -> None:
    await stub_for(served, "gateway").BatchGetProfiles(identity_service_pb2.BatchGetProfilesRequest())
    assert servicer.callers[0].service == "gateway"


async def test_a_refusal_arrives_as_an_exception_with_everything_it_said(served: RpcHarness) -> None:
    with pytest.raises(RemoteError) as refused:
        await stub_for(served, "invite").CreateAccount(ACCOUNT)
    assert (refused.value.kind, refused.value.reason) == ("already_exists", "HANDLE_TAKEN")
    assert (refused.value.message, refused.value.metadata) == ("taken", {"handle": "lina"})
    assert refused.value.retry_after_seconds == 2.0


async def test_a_refusal_of_a_service_behind_reaches_the_first_caller_unchanged(
    served: RpcHarness, servicer: Auth
) -> None:
    servicer.next = stub_for(served, "invite")
    user = AuthStub(served.service_channel("gateway").channel)
    with pytest.raises(RemoteError) as refused:
        await user.ListSignIns(sign_in_service_pb2.ListSignInsRequest(), metadata=served.as_user())
    assert (refused.value.kind, refused.value.reason) == ("already_exists", "HANDLE_TAKEN")


async def test_request_id_and_user_are_passed_on(served: RpcHarness, servicer: Auth) -> None:
    servicer.next = stub_for(served, "invite")
    first = (*served.as_user(), ("x-request-id", "walk-0001"), ("x-forwarded-network", "203.0.113.0/24"))
    await stub_for(served, "gateway").GetMe(account_service_pb2.GetMeRequest(), metadata=first)
    outer, inner = servicer.callers
    assert (outer.service, inner.service) == ("gateway", "invite")
    assert (outer.request_id, inner.request_id) == ("walk-0001", "walk-0001")
    assert (inner.user_id, inner.network) == (USER_ID, "203.0.113.0/24")


async def test_a_slow_answer_ends_with_the_deadline(served: RpcHarness) -> None:
    request = identity_service_pb2.BatchGetProfilesRequest(user_ids=["user000000000001"])
    with pytest.raises(RemoteError) as refused:
        await stub_for(served, "gateway").BatchGetProfiles(request, timeout=0.1)
    assert (refused.value.kind, refused.value.reason) == ("deadline_exceeded", "TOO_SLOW")


async def test_an_absent_service_is_unavailable_and_soon_said_so(tmp_path: Path) -> None:
    channel = ServiceChannel("invite", f"127.0.0.1:{free_port()}", test_settings(tmp_path))
    started = time.monotonic()
    with pytest.raises(RemoteError) as refused:
        await AuthStub(channel.channel).CreateAccount(ACCOUNT)
    assert (refused.value.kind, refused.value.reason) == ("unavailable", "PART_UNAVAILABLE")
    assert time.monotonic() - started < 4
    await channel.close()


async def test_a_call_without_side_effects_survives_a_restart_of_the_service(tmp_path: Path, servicer: Auth) -> None:
    port = free_port()
    settings = test_settings(tmp_path, grpc_listen=f"127.0.0.1:{port}")
    channel = ServiceChannel("invite", f"127.0.0.1:{port}", settings)
    call = asyncio.ensure_future(
        AuthStub(channel.channel).GetKeySet(identity_service_pb2.GetKeySetRequest(), timeout=5)
    )
    await asyncio.sleep(0.2)
    server = RpcServer("auth", settings, Metrics("auth"), verifier=TokenMint().verifier())
    for add, service in AUTH:
        server.add(servicer, add, service)
    await server.start()
    assert (await call).jwks_json == "{}"
    await channel.close()
    await server.drain()


async def test_a_call_with_side_effects_waits_for_a_service_that_restarts_and_is_sent_once(
    tmp_path: Path, servicer: Auth
) -> None:
    port = free_port()
    settings = test_settings(tmp_path, grpc_listen=f"127.0.0.1:{port}")
    channel = ServiceChannel("invite", f"127.0.0.1:{port}", settings)
    for _ in range(2):
        call = asyncio.ensure_future(AuthStub(channel.channel).CreateAccount(ACCOUNT, timeout=5))
        await asyncio.sleep(0.4)
        server = RpcServer("auth", settings, Metrics("auth"), verifier=TokenMint().verifier())
        for add, service in AUTH:
            server.add(servicer, add, service)
        await server.start()
        with pytest.raises(RemoteError, match="taken"):
            await call
        await server.drain()
    assert len(servicer.callers) == 2
    await channel.close()


async def test_a_call_on_a_channel_that_does_not_wait_fails_at_once(tmp_path: Path) -> None:
    channel = ServiceChannel("gateway", f"127.0.0.1:{free_port()}", test_settings(tmp_path), waits=False)
    started = time.monotonic()
    with pytest.raises(RemoteError) as refused:
        await AuthStub(channel.channel).CreateAccount(ACCOUNT)
    assert refused.value.kind == "unavailable"
    assert time.monotonic() - started < 2
    await channel.close()


async def test_half_of_the_certificate_files_is_a_settings_error(tmp_path: Path) -> None:
    files = {**Authority(tmp_path).files("auth"), "tls_ca_file": None}
    with pytest.raises(SettingsError, match="together"):
        ServiceChannel("auth", "127.0.0.1:1", test_settings(tmp_path, **files))
