"""The guard around every RPC: who may call, what is refused and how it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from majlis.auth.v1 import account_pb2
from majlis.auth.v1 import account_service_pb2 as account_rpc
from majlis.auth.v1 import identity_service_pb2 as identity_rpc
from majlis.auth.v1 import operator_service_pb2 as operator_rpc
from majlis.auth.v1 import sign_in_service_pb2 as sign_in_rpc
from majlis.gateway.v1 import event_service_pb2, event_service_pb2_grpc

from services.common.errors import DomainError
from services.common.rpc.server import current_caller
from tests.support.auth_contract import AUTH, AuthServicer, AuthStub
from tests.support.rpc_harness import SECRET, USER_ID, RpcHarness, serving

EVENTS = event_service_pb2.DESCRIPTOR.services_by_name["EventService"]


class HandleTaken(DomainError):
    """A documented refusal."""

    kind = "already_exists"
    reason = "HANDLE_TAKEN"


class Undocumented(DomainError):
    """A refusal that no contract has."""

    kind = "not_found"
    reason = "NOBODY_WROTE_THIS_DOWN"


class Auth(AuthServicer):
    """Answers with what the test wants, and remembers who called."""

    def __init__(self) -> None:
        self.callers: list[Any] = []
        self.act: Callable[[], Any] = lambda: None

    async def _answer(self, response: Any) -> Any:
        self.callers.append(current_caller())
        result = self.act()
        if asyncio.iscoroutine(result):
            await result
        return response

    async def GetKeySet(self, request: Any, context: Any) -> Any:
        return await self._answer(identity_rpc.GetKeySetResponse(jwks_json="{}"))

    async def GetMe(self, request: Any, context: Any) -> Any:
        return await self._answer(account_rpc.GetMeResponse())

    async def UpdateProfile(self, request: Any, context: Any) -> Any:
        return await self._answer(account_rpc.UpdateProfileResponse())

    async def ListAccounts(self, request: Any, context: Any) -> Any:
        return await self._answer(operator_rpc.ListAccountsResponse())

    async def CreateAccount(self, request: Any, context: Any) -> Any:
        return await self._answer(identity_rpc.CreateAccountResponse())


class Events(event_service_pb2_grpc.EventServiceServicer):
    """Sends two events and then waits for ever."""

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield event_service_pb2.WatchResponse()
        if request.after_revision == 7:
            raise HandleTaken("in the middle of the stream")
        yield event_service_pb2.WatchResponse()
        await asyncio.Event().wait()


@pytest.fixture
def servicer() -> Auth:
    return Auth()  # type: ignore[abstract]


@pytest.fixture
async def served(servicer: Auth) -> AsyncIterator[RpcHarness]:
    (add, service), *more = AUTH
    async with serving(servicer, add, service, name="auth", more=more) as harness:
        yield harness


@pytest.fixture
def stub(served: RpcHarness) -> Any:
    return AuthStub(served.channel)


ACCOUNT = identity_rpc.CreateAccountRequest(
    redemption_id="redemption0001",
    inviter_id="inviter0000001",
    profile=account_pb2.NewProfile(handle="lina", display_name="Lina"),
)


async def refused(call: Any) -> tuple[str, str, list[Any]]:
    """Status code, reason and details of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    status = rpc_status.from_call(error.value)
    assert status is not None, f"no details came with {error.value.details()}"
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "majlis"
    return error.value.code().name, info.reason, [info, *status.details[1:]]


async def test_anyone_may_call_a_public_rpc(stub: Any, servicer: Auth) -> None:
    await stub.GetKeySet(identity_rpc.GetKeySetRequest())
    assert (servicer.callers[0].kind, servicer.callers[0].user_id) == ("public", None)


async def test_a_stale_token_does_not_spoil_a_public_rpc(stub: Any, servicer: Auth) -> None:
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=(("authorization", "Bearer nonsense"),))
    assert servicer.callers[0].kind == "public"


async def test_a_public_rpc_knows_a_user_who_comes_with_a_token(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=served.as_user())
    assert servicer.callers[0].user_id == USER_ID


async def test_a_user_rpc_needs_a_token(stub: Any) -> None:
    assert (await refused(stub.GetMe(account_rpc.GetMeRequest())))[:2] == ("UNAUTHENTICATED", "NOT_SIGNED_IN")


async def test_a_user_rpc_knows_its_user(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    await stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user("user000000000002"))
    caller = servicer.callers[0]
    assert (caller.kind, caller.user, caller.operator) == ("user", "user000000000002", False)
    assert caller.bearer is not None
    assert caller.bearer not in repr(caller)


async def test_an_expired_token_is_told_apart(stub: Any, served: RpcHarness) -> None:
    call = stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user(iat=1000, exp=1600))
    assert (await refused(call))[:2] == ("UNAUTHENTICATED", "TOKEN_EXPIRED")


async def test_a_personal_token_without_the_scope_is_refused_with_its_name(stub: Any, served: RpcHarness) -> None:
    call = stub.UpdateProfile(account_rpc.UpdateProfileRequest(), metadata=served.as_user(scopes=("listen",)))
    code, reason, details = await refused(call)
    assert (code, reason) == ("PERMISSION_DENIED", "SCOPE_MISSING")
    needed = details[0].metadata["scope"]
    await stub.UpdateProfile(account_rpc.UpdateProfileRequest(), metadata=served.as_user(scopes=(needed,)))


async def test_an_operator_rpc_refuses_other_users(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    call = stub.ListAccounts(operator_rpc.ListAccountsRequest(), metadata=served.as_user())
    assert (await refused(call))[:2] == ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")
    await stub.ListAccounts(operator_rpc.ListAccountsRequest(), metadata=served.as_user(operator=True))
    assert servicer.callers[0].kind == "operator"


async def test_a_service_rpc_admits_only_the_services_it_names(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    await stub.CreateAccount(ACCOUNT, metadata=served.as_service("invite"))
    assert (servicer.callers[0].kind, servicer.callers[0].service) == ("service", "invite")
    strangers = [
        served.as_service("gateway"),
        served.as_user(operator=True),
        (("x-majlis-service", "invite"), ("x-majlis-service-secret", "a guess that is wrong")),
        (("x-majlis-service", "invite"),),
        (("x-majlis-service-secret", SECRET),),
        (),
    ]
    for metadata in strangers:
        call = stub.CreateAccount(ACCOUNT, metadata=metadata)
        assert (await refused(call))[:2] == ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")
    assert len(servicer.callers) == 1


async def test_every_broken_field_rule_is_named(stub: Any, served: RpcHarness) -> None:
    bad = identity_rpc.CreateAccountRequest(redemption_id="Not An Id", inviter_id="inviter0000001")
    bad.profile.handle = "lina"
    bad.profile.display_name = "Lina"
    bad.profile.spoken_languages.extend(["ar", "ARABIC"])
    code, reason, details = await refused(stub.CreateAccount(bad, metadata=served.as_service("invite")))
    assert (code, reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    violations = error_details_pb2.BadRequest()
    assert details[1].Unpack(violations)
    assert {each.field for each in violations.field_violations} == {"redemption_id", "profile.spoken_languages[1]"}


async def test_who_may_not_call_does_not_learn_what_a_valid_request_is(stub: Any) -> None:
    call = stub.CreateAccount(identity_rpc.CreateAccountRequest())
    assert (await refused(call))[:2] == ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")


async def test_a_refusal_reaches_the_caller_with_kind_reason_and_metadata(
    stub: Any, served: RpcHarness, servicer: Auth
) -> None:
    def act() -> None:
        raise HandleTaken("that handle is taken", retry_after_seconds=1.5, metadata={"handle": "lina"})

    servicer.act = act
    code, reason, details = await refused(stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user()))
    assert (code, reason, details[0].metadata["handle"]) == ("ALREADY_EXISTS", "HANDLE_TAKEN", "lina")
    retry = error_details_pb2.RetryInfo()
    assert details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


async def test_a_fault_of_ours_leaks_nothing(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    servicer.act = lambda: int("password=hunter2")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user())
    assert error.value.code() == grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(error.value) + str(error.value.trailing_metadata())


async def test_bytes_that_are_no_request_are_the_callers_mistake_and_reach_no_handler(
    served: RpcHarness, servicer: Auth
) -> None:
    servicer.act = lambda: int("never reached")
    for method in (method for _, service in AUTH for method in service.methods):
        call: Any = served.channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}")
        for metadata in ((), served.as_user(operator=True), served.as_service("gateway"), served.as_service("invite")):
            code, reason, _ = await refused(call(b"\xff", metadata=metadata, timeout=10))
            assert code in ("INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED"), method.name
            assert (code == "INVALID_ARGUMENT") == (reason == "FIELD_INVALID")


async def test_a_reason_the_contract_does_not_document_fails_tests(
    stub: Any, served: RpcHarness, servicer: Auth
) -> None:
    def act() -> None:
        raise Undocumented

    servicer.act = act
    code, reason, _ = await refused(stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user()))
    assert (code, reason) == ("INTERNAL", "INTERNAL")


async def test_in_production_an_undocumented_reason_is_passed_on_and_counted(servicer: Auth) -> None:
    def act() -> None:
        raise Undocumented

    servicer.act = act
    (add, service), *more = AUTH
    async with serving(servicer, add, service, strict=False, more=more) as served:
        call = AuthStub(served.channel).GetKeySet(identity_rpc.GetKeySetRequest())
        assert (await refused(call))[:2] == ("NOT_FOUND", "NOBODY_WROTE_THIS_DOWN")
        labels = {"service": "IdentityService", "method": "GetKeySet"}
        assert served.metrics.registry.get_sample_value("majlis_rpc_nonconforming_total", labels) == 1


async def test_an_answer_that_takes_too_long_ends_with_the_callers_deadline(
    stub: Any, served: RpcHarness, servicer: Auth
) -> None:
    cancelled = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    servicer.act = slow
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user(), timeout=0.2)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_timeout_inside_is_told_as_too_slow(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    async def gives_up() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    servicer.act = gives_up
    call = stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user())
    assert (await refused(call))[:2] == ("DEADLINE_EXCEEDED", "TOO_SLOW")


async def test_requests_above_the_size_limit_are_refused(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.RefreshSession(sign_in_rpc.RefreshSessionRequest(refresh_token="x" * 300_000))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_request_id_of_the_caller_is_kept_and_a_hostile_one_replaced(stub: Any, servicer: Auth) -> None:
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=(("x-request-id", "abcd-1234"),))
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=(("x-request-id", 'x" forged="1'),))
    await stub.GetKeySet(identity_rpc.GetKeySetRequest())
    ids = [caller.request_id for caller in servicer.callers]
    assert ids[0] == "abcd-1234"
    assert len(set(ids)) == 3
    assert all(each.replace("-", "").isalnum() for each in ids)


async def test_the_clients_network_is_believed_only_from_a_proven_service(
    stub: Any, served: RpcHarness, servicer: Auth
) -> None:
    network = (("x-forwarded-network", "203.0.113.0/24"),)
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=network)
    await stub.GetKeySet(identity_rpc.GetKeySetRequest(), metadata=network + served.as_service("gateway"))
    assert [caller.network for caller in servicer.callers] == ["", "203.0.113.0/24"]


async def test_where_people_come_from_is_believed_only_of_a_proven_service(
    stub: Any, served: RpcHarness, servicer: Auth
) -> None:
    region, token = (("x-forwarded-region", "eu-west-1"),), served.as_user()
    await stub.GetMe(account_rpc.GetMeRequest(), metadata=token + region)
    await stub.GetMe(account_rpc.GetMeRequest(), metadata=token + region + served.as_service("gateway"))
    assert [caller.region for caller in servicer.callers] == ["", "eu-west-1"]


async def test_calls_are_counted_and_timed_by_their_outcome(stub: Any, served: RpcHarness) -> None:
    await stub.GetKeySet(identity_rpc.GetKeySetRequest())
    await refused(stub.GetMe(account_rpc.GetMeRequest()))
    value = served.metrics.registry.get_sample_value
    good = {"service": "IdentityService", "method": "GetKeySet"}
    bad = {"service": "AccountService", "method": "GetMe"}
    assert value("majlis_rpc_requests_total", {**good, "code": "OK"}) == 1
    assert value("majlis_rpc_requests_total", {**bad, "code": "UNAUTHENTICATED"}) == 1
    assert value("majlis_rpc_duration_seconds_count", good) == 1


async def test_a_stream_is_guarded_too_and_may_outlive_the_deadline_of_calls() -> None:
    async with serving(
        Events(), event_service_pb2_grpc.add_EventServiceServicer_to_server, EVENTS, strict=False
    ) as served:
        stub = event_service_pb2_grpc.EventServiceStub(served.channel)
        request = event_service_pb2.WatchRequest(room_id="room000000001")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.Watch(request).read()
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        stream = stub.Watch(request, metadata=served.as_user())
        assert await stream.read() is not grpc.aio.EOF
        assert await stream.read() is not grpc.aio.EOF
        stream.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.Watch(event_service_pb2.WatchRequest(room_id="no"), metadata=served.as_user()).read()
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_refusal_in_the_middle_of_a_stream_carries_its_reason() -> None:
    async with serving(
        Events(), event_service_pb2_grpc.add_EventServiceServicer_to_server, EVENTS, strict=False
    ) as served:
        request = event_service_pb2.WatchRequest(room_id="room000000001", after_revision=7)
        stream = event_service_pb2_grpc.EventServiceStub(served.channel).Watch(request, metadata=served.as_user())
        await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()
        status = rpc_status.from_call(error.value)
        assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS
        assert status is not None


async def test_health_follows_the_life_of_the_server(served: RpcHarness) -> None:
    stub = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "majlis.auth.v1.AccountService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert served.metrics.not_ready() == []
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    draining = asyncio.gather(served.server.drain())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await draining
    assert served.metrics.not_ready() == ["serving"]


async def test_the_services_can_be_listed_by_reflection(served: RpcHarness) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(served.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()
    assert "majlis.auth.v1.AccountService" in {each.name for each in answer.list_services_response.service}


async def test_a_call_in_progress_is_answered_while_draining(stub: Any, served: RpcHarness, servicer: Auth) -> None:
    begun = asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await asyncio.sleep(0.05)

    servicer.act = slowly
    call = stub.GetMe(account_rpc.GetMeRequest(), metadata=served.as_user())
    waiting = asyncio.gather(call)
    await asyncio.wait_for(begun.wait(), 5)
    await served.server.drain()
    (answer,) = await waiting
    assert answer == account_rpc.GetMeResponse()
