"""The native gRPC port: what it forwards, what it shows of itself, and the Watch stream."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from majlis.auth.v1 import account_service_pb2, account_service_pb2_grpc
from majlis.contract.v1 import options_pb2
from majlis.gateway.v1 import event_service_pb2, event_service_pb2_grpc
from majlis.room_directory.v1 import fleet_service_pb2, fleet_service_pb2_grpc, room_events_pb2

from services.common.bus.client import Bus
from services.common.net import has_ipv6
from services.common.rpc.client import raise_for
from services.common.sight.metrics import Metrics
from tests.integration.gateway.conftest import ROOM, Origin, all_parts, gateway_over
from tests.integration.gateway.played import Refused
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint
from tests.support.rpc_harness import test_settings as settings_of


@pytest.fixture
async def channel(origin: Origin) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{origin.grpc_port}") as channel:
        yield channel


def token(origin: Origin, shown: str | None = None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {shown or origin.mint.token()}"),)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    refusal: Any = raise_for(error)
    return str(refusal.reason)


async def test_an_rpc_is_forwarded_with_the_callers_token(origin: Origin, channel: grpc.aio.Channel) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    response = await stub.GetMe(account_service_pb2.GetMeRequest(), metadata=token(origin))
    assert response.account.profile.user_id == "user000000000001"
    assert origin.auth.callers[-1].network == "127.0.0.0/24"


async def test_a_personal_token_works_here_too(origin: Origin, channel: grpc.aio.Channel) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    response = await stub.GetMe(account_service_pb2.GetMeRequest(), metadata=token(origin, "mjp_good_and_long_enough"))
    assert response.account.profile.user_id == "userbot000000001"


async def test_refusals_keep_their_reason(origin: Origin, channel: grpc.aio.Channel) -> None:
    origin.auth.refuse = Refused("already_exists", "HANDLE_TAKEN")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UpdateProfile(account_service_pb2.UpdateProfileRequest(), metadata=token(origin))
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert reason_of(caught.value) == "HANDLE_TAKEN"


async def test_rpcs_for_services_are_not_offered_even_with_the_services_secret(
    origin: Origin, channel: grpc.aio.Channel
) -> None:
    stub = fleet_service_pb2_grpc.FleetServiceStub(channel)
    proof = (("x-majlis-service", "gateway"), ("x-majlis-service-secret", "a secret for tests only"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetSnapshot(fleet_service_pb2.GetSnapshotRequest(room_id=ROOM), metadata=proof)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert reason_of(caught.value) in ("NOT_OFFERED", "INTERNAL")
    assert origin.directory.snapshots_given == 0


async def reflect(channel: grpc.aio.Channel, **ask: Any) -> Any:
    async def requests() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(**ask)

    async for response in reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests()):
        return response
    raise AssertionError("no answer")


async def test_reflection_lists_the_public_services_only(channel: grpc.aio.Channel) -> None:
    listed = {each.name for each in (await reflect(channel, list_services="")).list_services_response.service}
    assert "majlis.auth.v1.AccountService" in listed
    assert "majlis.gateway.v1.EventService" in listed
    assert "majlis.media_relay.v1.MediaRelayService" not in listed


@pytest.mark.parametrize(
    ("symbol", "hidden"),
    [
        ("majlis.auth.v1.IdentityService", {"CreateAccount", "ListFacts", "BatchGetProfiles"}),
        ("majlis.room_directory.v1.RoomService", {"GetSnapshot", "ReportStreams", "ListRelays"}),
    ],
)
async def test_reflection_shows_no_rpc_that_is_for_services(
    channel: grpc.aio.Channel, symbol: str, hidden: set[str]
) -> None:
    answer = await reflect(channel, file_containing_symbol=symbol)
    names: set[str] = set()
    messages: set[str] = set()
    for raw in answer.file_descriptor_response.file_descriptor_proto:
        file = FileDescriptorProto.FromString(raw)
        names.update(method.name for service in file.service for method in service.method)
        messages.update(message.name for message in file.message_type)
    assert names
    assert not names & hidden
    assert not messages & {f"{name}Request" for name in hidden}


async def test_reflection_knows_no_service_that_is_internal(channel: grpc.aio.Channel) -> None:
    answer = await reflect(channel, file_containing_symbol="majlis.media_relay.v1.MediaRelayService")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("part", ["contract.v1.Common", "media_relay.v1.MediaRelay", "room_directory.v1.RoomDirectory"])
async def test_reflection_says_what_helps_against_a_refusal(channel: grpc.aio.Channel, part: str) -> None:
    answer = await reflect(channel, file_containing_symbol=f"majlis.{part}ErrorReason")
    file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
    (reasons,) = file.enum_type
    assert all(each.options.Extensions[options_pb2.refusal].code for each in reasons.value if each.number)
    assert not file.service


async def test_reflection_describes_what_a_refusal_carries(channel: grpc.aio.Channel) -> None:
    answer = await reflect(channel, file_containing_symbol="google.rpc.ErrorInfo")
    file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
    assert {"ErrorInfo", "RetryInfo", "BadRequest"} <= {message.name for message in file.message_type}


async def test_the_port_says_that_it_serves(channel: grpc.aio.Channel) -> None:
    response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_watch_gives_the_snapshot_and_then_what_happens(
    origin: Origin, channel: grpc.aio.Channel, nats_server: NatsServer, tmp_path: Any
) -> None:
    origin.directory.seat()
    bus = Bus(settings_of(tmp_path, nats_url=nats_server.url), Metrics("room_directory"))
    await bus.connect()
    stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
    call = stub.Watch(event_service_pb2.WatchRequest(room_id=ROOM), metadata=token(origin))
    first = await call.read()
    assert first.event.snapshot.room.title == "Evening"
    await bus.publish(room_events_pb2.MediaMoved(room_id=ROOM, revision=11, relay_id="relay00000001"))
    assert (await call.read()).event.HasField("own_hand")
    assert (await call.read()).event.HasField("stream_status")
    second = await call.read()
    assert second.event.revision == 11
    assert second.event.media_moved.relay_id == "relay00000001"
    await bus.publish(room_events_pb2.PersonRemoved(room_id=ROOM, revision=12, user_id="user000000000001"))
    assert (await call.read()).event.person_removed.user_id == "user000000000001"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert reason_of(caught.value) == "SEAT_ENDED"
    await bus.close()


@pytest.mark.parametrize("package", ["grpc.reflection.v1alpha", "grpc.reflection.v1"])
async def test_both_versions_of_reflection_describe_all_they_list(channel: grpc.aio.Channel, package: str) -> None:
    call: Any = channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )

    async def ask(**question: Any) -> Any:
        return await anext(aiter(call(iter([reflection_pb2.ServerReflectionRequest(**question)]), timeout=10)))

    listed = {each.name for each in (await ask(list_services="")).list_services_response.service}
    assert {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= listed
    members = (
        "majlis.auth.v1.AccountService.GetMe",
        "grpc.health.v1.Health.Watch",
        "majlis.auth.v1.Profile.user_id",
        "majlis.room_directory.v1.ROLE_LISTENER",
        "majlis.room_directory.v1.Role.ROLE_LISTENER",
    )
    for symbol in (*listed, *members):
        answer = await ask(file_containing_symbol=symbol)
        assert answer.file_descriptor_response.file_descriptor_proto, symbol
        assert answer.original_request.file_containing_symbol == symbol
    for symbol in (
        "majlis.auth.v1.AccountService.NoSuch",
        "majlis.auth.v1.IdentityService.ListFacts",
        "",
        ".",
        "\0",
        "x" * 500,
    ):
        assert (await ask(file_containing_symbol=symbol)).error_response.error_code == 5


async def test_health_answers_all_its_rpcs(channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "majlis.auth.v1.AccountService"):
        asked = health_pb2.HealthCheckRequest(service=name)
        assert (await stub.Check(asked, timeout=10)).status == serving
        assert (await stub.Watch(asked, timeout=10).read()).status == serving
    listed = (await stub.List(health_pb2.HealthListRequest(), timeout=10)).statuses
    assert listed["majlis.auth.v1.AccountService"].status == serving


@pytest.mark.parametrize(
    ("path", "streams_in", "streams_out"),
    [
        ("/grpc.health.v1.Health/Check", False, False),
        ("/grpc.health.v1.Health/Watch", False, True),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", True, True),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", True, True),
    ],
)
async def test_health_and_reflection_refuse_what_they_cannot_read(
    channel: grpc.aio.Channel, path: str, streams_in: bool, streams_out: bool
) -> None:
    async def send() -> None:
        if streams_in:
            both: Any = channel.stream_stream(path)
            await anext(aiter(both(iter([b"\xff"]), timeout=10)))
        elif streams_out:
            stream: Any = channel.unary_stream(path)
            await stream(b"\xff", timeout=10).read()
        else:
            unary: Any = channel.unary_unary(path)
            await unary(b"\xff", timeout=10)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await send()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "FIELD_INVALID"


async def test_watch_without_a_seat_is_refused(origin: Origin, channel: grpc.aio.Channel) -> None:
    stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
    call = stub.Watch(event_service_pb2.WatchRequest(room_id=ROOM), metadata=token(origin))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert reason_of(caught.value) == "NOT_IN_ROOM"


async def test_the_server_describes_itself_to_anyone(channel: grpc.aio.Channel) -> None:
    stub = event_service_pb2_grpc.ServerServiceStub(channel)
    info = await stub.GetServerInfo(event_service_pb2.GetServerInfoRequest())
    assert info.deployment == "majlis"


@pytest.mark.parametrize("listen", [("127.0.0.1:0", "[::1]:0"), ("0.0.0.0:0", "[::]:0")])
async def test_it_is_reached_by_both_families_where_it_listens_on_both(
    nats_server: NatsServer, tmp_path: Path, listen: tuple[str, ...]
) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    mint, both = TokenMint(), {"grpc_public_listen": listen}
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, tmp_path, **both) as origin:
        for host in ("127.0.0.1", "[::1]"):
            async with grpc.aio.insecure_channel(f"{host}:{origin.grpc_port}") as channel:
                check = health_pb2_grpc.HealthStub(channel).Check
                answer = await check(health_pb2.HealthCheckRequest(), timeout=10)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
