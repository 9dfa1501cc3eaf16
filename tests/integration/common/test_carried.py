"""Calls between services that share a stream: what each of them sees is what it would see with a stream of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from majlis.auth.v1 import account_pb2, identity_service_pb2, identity_service_pb2_grpc
from majlis.contract.v1 import carried_pb2

from services.common.rpc.carried import Carried
from services.common.rpc.carrier import CARRY, CarryingChannel
from services.common.rpc.client import RemoteError, ServiceChannel
from services.common.rpc.server import RpcServer, current_caller
from services.common.sight.metrics import Metrics
from tests.support.auth_contract import AUTH, AuthServicer, AuthStub
from tests.support.processes import free_port
from tests.support.rpc_harness import RpcHarness, TokenMint, serving, test_settings

SLOW = identity_service_pb2.BatchGetProfilesRequest(user_ids=["user000000000001"])
FAST = identity_service_pb2.BatchGetProfilesRequest()
KEYS = identity_service_pb2.GetKeySetRequest()


class Auth(AuthServicer):
    """Answers those who ask for profiles of somebody when it is let, all others at once."""

    def __init__(self) -> None:
        self.callers: list[str | None] = []
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.given_up = asyncio.Event()
        self.keys = "{}"

    async def GetKeySet(self, request: Any, context: Any) -> Any:
        return identity_service_pb2.GetKeySetResponse(jwks_json=self.keys)

    async def BatchGetProfiles(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller().service)
        if request.user_ids:
            self.asked.set()
            try:
                await self.let.wait()
            except asyncio.CancelledError:
                self.given_up.set()
                raise
        return identity_service_pb2.BatchGetProfilesResponse()


class Counting(grpc.aio.ServerInterceptor):
    """Counts what reaches a server, by path."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.paths.append(handler_call_details.method)
        return await continuation(handler_call_details)


@pytest.fixture
def auth() -> Auth:
    return Auth()  # type: ignore[abstract]


@pytest.fixture
async def served(auth: Auth) -> AsyncIterator[RpcHarness]:
    (add, service), *more = AUTH
    async with serving(auth, add, service, name="auth", more=more) as harness:
        yield harness


def stub_for(served: RpcHarness, name: str = "gateway") -> Any:
    return AuthStub(served.service_channel(name).channel)


def server_at(folder: Path, port: int, auth: Auth, grace: float = 5.0) -> RpcServer:
    settings = test_settings(folder, grpc_listen=f"127.0.0.1:{port}", shutdown_grace_seconds=grace)
    server = RpcServer("auth", settings, Metrics("auth"), verifier=TokenMint().verifier())
    for add, service in AUTH:
        server.add(auth, add, service)
    return server


async def test_a_fast_call_does_not_wait_for_a_slow_one_before_it(served: RpcHarness, auth: Auth) -> None:
    stub = stub_for(served)
    slow = asyncio.ensure_future(stub.BatchGetProfiles(SLOW))
    await auth.asked.wait()
    await stub.BatchGetProfiles(FAST)
    assert not slow.done()
    auth.let.set()
    await slow
    assert auth.callers == ["gateway", "gateway"]


async def test_a_call_that_its_caller_gives_up_ends_at_the_service(served: RpcHarness, auth: Auth) -> None:
    stub = stub_for(served)
    slow = asyncio.ensure_future(stub.BatchGetProfiles(SLOW))
    await auth.asked.wait()
    slow.cancel()
    await asyncio.wait_for(auth.given_up.wait(), 5)
    await stub.BatchGetProfiles(FAST)


async def test_a_call_out_of_time_ends_at_the_service_and_others_go_on(served: RpcHarness, auth: Auth) -> None:
    stub = stub_for(served)
    with pytest.raises(RemoteError) as refused:
        await stub.BatchGetProfiles(SLOW, timeout=0.1)
    assert refused.value.reason == "TOO_SLOW"
    await asyncio.wait_for(auth.given_up.wait(), 5)
    await stub.BatchGetProfiles(FAST)


async def test_a_hundred_calls_at_once_are_one_stream() -> None:
    async def twice(request: bytes, _context: Any) -> bytes:
        return request * 2

    async def find(_path: str) -> Any:
        return grpc.unary_unary_rpc_method_handler(twice, bytes, bytes)

    counting = Counting()
    server = grpc.aio.server(interceptors=(counting,))
    server.add_generic_rpc_handlers((Carried(find, lambda *_: "gateway", 1_000),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = CarryingChannel(grpc.aio.insecure_channel(f"127.0.0.1:{port}"), ())
    call: Any = channel.unary_unary("/any.Service/Twice")
    answers = await asyncio.gather(*(call(b"%d " % number, timeout=5) for number in range(100)))
    assert answers == [b"%d %d " % (number, number) for number in range(100)]
    assert counting.paths == [CARRY]
    await channel.close()
    await server.stop(0)


async def test_a_service_that_stops_answers_what_it_has_and_the_next_call_goes_to_its_successor(
    tmp_path: Path, auth: Auth
) -> None:
    port = free_port()
    server = server_at(tmp_path, port, auth)
    await server.start()
    channel = ServiceChannel("gateway", f"127.0.0.1:{port}", test_settings(tmp_path))
    stub = AuthStub(channel.channel)
    slow = asyncio.ensure_future(stub.BatchGetProfiles(SLOW))
    await auth.asked.wait()
    stopping = asyncio.ensure_future(server.drain())
    await asyncio.sleep(0.1)
    successor = server_at(tmp_path, port, auth)
    later = asyncio.ensure_future(stub.BatchGetProfiles(FAST))
    auth.let.set()
    await slow
    await stopping
    await successor.start()
    await later
    await channel.close()
    await successor.drain()
    assert len(auth.callers) == 2


async def test_calls_in_a_stream_that_breaks_are_told_that_their_service_is_away(tmp_path: Path, auth: Auth) -> None:
    server = server_at(tmp_path, 0, auth, grace=0.0)
    await server.start()
    channel = ServiceChannel("gateway", f"127.0.0.1:{server.port}", test_settings(tmp_path), waits=False)
    slow = asyncio.ensure_future(AuthStub(channel.channel).BatchGetProfiles(SLOW))
    await auth.asked.wait()
    await server.drain()
    with pytest.raises(RemoteError) as refused:
        await slow
    assert refused.value.kind == "unavailable"
    await channel.close()


async def test_who_proves_no_service_is_not_carried_for_and_asks_call_by_call(served: RpcHarness) -> None:
    stream: Any = served.channel.stream_stream(CARRY)(metadata=(("x-majlis-service", "gateway"),))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_calls_that_cannot_be_read_end_the_stream(served: RpcHarness) -> None:
    stream: Any = served.channel.stream_stream(CARRY)(metadata=served.as_service("gateway"))
    await stream.write(b"\xff\xff")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", ["/majlis.auth.v1.IdentityService/Nothing", "/grpc.health.v1.Health/Watch", "", CARRY])
async def test_what_is_no_call_of_the_service_is_answered_so(served: RpcHarness, path: str) -> None:
    stream: Any = served.channel.stream_stream(CARRY)(metadata=served.as_service("gateway"))
    call = carried_pb2.CarriedCall(number=7, path=path, milliseconds=1000)
    await stream.write(carried_pb2.CarriedCalls(calls=[call]).SerializeToString())
    (answer,) = carried_pb2.CarriedAnswers.FromString(await stream.read()).answers
    assert (answer.number, answer.code) == (7, grpc.StatusCode.UNIMPLEMENTED.value[0])
    stream.cancel()


async def test_a_number_in_use_begins_no_second_call(served: RpcHarness, auth: Auth) -> None:
    stream: Any = served.channel.stream_stream(CARRY)(metadata=served.as_service("gateway"))
    path, proof = "/majlis.auth.v1.IdentityService/BatchGetProfiles", dict(served.as_service("gateway"))
    call = carried_pb2.CarriedCall(
        number=1, path=path, request=SLOW.SerializeToString(), milliseconds=5000, metadata=proof
    )
    await stream.write(carried_pb2.CarriedCalls(calls=[call, call]).SerializeToString())
    await auth.asked.wait()
    auth.let.set()
    (answer,) = carried_pb2.CarriedAnswers.FromString(await stream.read()).answers
    assert (answer.number, answer.code, len(auth.callers)) == (1, 0, 1)
    stream.cancel()


async def test_a_carried_call_proves_its_service_as_any_other(served: RpcHarness) -> None:
    stream: Any = served.channel.stream_stream(CARRY)(metadata=served.as_service("gateway"))
    path = "/majlis.auth.v1.IdentityService/BatchGetProfiles"
    call = carried_pb2.CarriedCall(number=1, path=path, milliseconds=1000, metadata={"x-majlis-service": "gateway"})
    await stream.write(carried_pb2.CarriedCalls(calls=[call]).SerializeToString())
    (answer,) = carried_pb2.CarriedAnswers.FromString(await stream.read()).answers
    assert answer.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    stream.cancel()


async def test_an_answer_too_large_for_a_call_is_refused_and_its_stream_goes_on(served: RpcHarness, auth: Auth) -> None:
    stub = stub_for(served)
    auth.keys = "k" * 250_000
    assert len((await stub.GetKeySet(KEYS)).jwks_json) == 250_000
    auth.keys = "k" * 300_000
    with pytest.raises(RemoteError) as refused:
        await stub.GetKeySet(KEYS)
    assert refused.value.kind == "resource_exhausted"
    await stub.BatchGetProfiles(FAST)


async def test_a_large_request_goes_by_itself(served: RpcHarness) -> None:
    large = identity_service_pb2.CreateAccountRequest(
        redemption_id="redemption0001", profile=account_pb2.NewProfile(handle="h" * 100_000)
    )
    with pytest.raises(RemoteError) as refused:
        await stub_for(served, "invite").CreateAccount(large)
    assert refused.value.kind == "invalid_argument"


async def test_a_service_that_does_not_carry_is_asked_call_by_call(tmp_path: Path, auth: Auth) -> None:
    counting = Counting()
    server = grpc.aio.server(interceptors=(counting,))
    identity_service_pb2_grpc.add_IdentityServiceServicer_to_server(auth, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = ServiceChannel("gateway", f"127.0.0.1:{port}", test_settings(tmp_path))
    stub = AuthStub(channel.channel)
    for _ in range(3):
        assert (await stub.GetKeySet(KEYS)).jwks_json == "{}"
    path = "/majlis.auth.v1.IdentityService/GetKeySet"
    assert counting.paths == [CARRY, path, path, path]
    await channel.close()
    await server.stop(0)
