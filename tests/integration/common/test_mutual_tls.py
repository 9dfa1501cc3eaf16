"""Mutual TLS between services: every identity against every RPC, who gets no connection, certificates replaced live."""

import asyncio
import importlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from majlis.auth.v1 import identity_service_pb2
from majlis.contract.v1 import options_pb2

from services.common.rpc.client import RemoteError, ServiceChannel
from services.common.rpc.errors import raise_for
from services.common.rpc.server import RpcServer, current_caller
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from services.common.trust.certificates import CertificateFiles
from services.common.trust.peer_identity import PeerIdentities
from services.gateway.call.offered import contract_services
from tests.support.auth_contract import AUTH, AuthServicer, AuthStub
from tests.support.certificates import Authority
from tests.support.fake_bus import eventually
from tests.support.rpc_harness import SECRET, TokenMint, test_settings

SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
# Whom a certificate of our authority may name besides: nobody, a part that does not exist, one of elsewhere.
OTHERS = {"nameless": "", "stranger": "spiffe://majlis/stranger", "elsewhere": "spiffe://other/gateway"}
METHODS = [method for service in contract_services() for method in service.methods]


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked at before each connection and call, not once a second."""
    monkeypatch.setattr("services.common.trust.certificates.CHECK_SECONDS", 0.0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


def servicer_of(service: ServiceDescriptor) -> tuple[Any, Any]:
    """A servicer that answers every RPC of a contract with an empty response, and how it is added to a server."""
    module = importlib.import_module(service.file.name.removesuffix(".proto").replace("/", ".") + "_pb2_grpc")

    def answering(method: MethodDescriptor) -> Any:
        response = GetMessageClass(method.output_type)

        async def unary(_self: Any, request: Any, context: Any) -> Any:
            return response()

        async def stream(_self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
            yield response()

        return stream if method.server_streaming else unary

    made = type("Empty", (), {method.name: answering(method) for method in service.methods})
    return made(), getattr(module, f"add_{service.name}Servicer_to_server")


@pytest.fixture
async def everything(tmp_path: Path, authority: Authority) -> AsyncIterator[RpcServer]:
    """All RPCs of all contracts on one port under mutual TLS."""
    settings = test_settings(tmp_path, **authority.files("auth"))
    server = RpcServer("auth", settings, Metrics("auth"), verifier=TokenMint().verifier())
    for service in contract_services():
        server.add(*servicer_of(service), service)
    await server.start()
    yield server
    await server.drain()


def channel_as(server: RpcServer, authority: Authority, name: str, **how: Any) -> grpc.aio.Channel:
    """A bare channel with a certificate of this name, without the help of our own client."""
    cert, key = authority.issue(name, **how)
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes(), key.read_bytes(), cert.read_bytes())
    return grpc.aio.secure_channel(f"localhost:{server.port}", credentials)


async def outcome(channel: Any, method: MethodDescriptor, metadata: Any) -> str:
    """The refusal's reason, or OK when the caller was let in, whatever the RPC thinks of its empty request."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            async for _ in channel.unary_stream(path)(b"", metadata=metadata, timeout=10):
                break
        else:
            await channel.unary_unary(path)(b"", metadata=metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        reason = raise_for(error).reason
        return "OK" if reason == "FIELD_INVALID" else reason
    return "OK"


def expected(method: MethodDescriptor, identity: str) -> str:
    rule = method.GetOptions().Extensions[options_pb2.caller]
    if rule.kind == options_pb2.CALLER_SERVICE:
        return "OK" if identity in rule.services else "CALLER_NOT_ALLOWED"
    return "OK" if rule.kind == options_pb2.CALLER_PUBLIC else "NOT_SIGNED_IN"


@pytest.mark.parametrize("identity", [*SERVICES, *OTHERS])
async def test_every_rpc_lets_in_the_services_its_contract_names_and_nobody_else(
    everything: RpcServer, authority: Authority, identity: str
) -> None:
    channel = channel_as(everything, authority, identity, identity=OTHERS.get(identity))
    # What a caller says of itself does not count, not even with the deployment's secret.
    lies = itertools.cycle(SERVICES)
    found, wanted = {}, {}
    for method in METHODS:
        metadata = (("x-majlis-service", next(lies)), ("x-majlis-service-secret", SECRET))
        found[method.full_name] = await outcome(channel, method, metadata)
        wanted[method.full_name] = expected(method, identity)
    assert found == wanted
    await channel.close()


def test_the_matrix_has_every_kind_of_rpc_and_each_service_may_call_something() -> None:
    services = [set(method.GetOptions().Extensions[options_pb2.caller].services) for method in METHODS]
    assert set().union(*services) == set(SERVICES)
    assert len(METHODS) > 50


class Auth(AuthServicer):
    """Tells whom it sees, at its leisure when asked to."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []
        self.go_on = asyncio.Event()

    async def GetKeySet(self, request: Any, context: Any) -> Any:
        self.seen.append(current_caller().service)
        return identity_service_pb2.GetKeySetResponse(jwks_json="{}")

    async def BatchGetProfiles(self, request: Any, context: Any) -> Any:
        self.seen.append(current_caller().service)
        if request.user_ids:
            await self.go_on.wait()
        return identity_service_pb2.BatchGetProfilesResponse()


PROFILES = identity_service_pb2.BatchGetProfilesRequest()
AT_LEISURE = identity_service_pb2.BatchGetProfilesRequest(user_ids=["user000000000001"])


class Served:
    """A service that runs while its certificates change."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.servicer, self.metrics = Auth(), Metrics("auth")  # type: ignore[abstract]
        settings = test_settings(folder, **authority.files("auth"))
        self.server = RpcServer("auth", settings, self.metrics, verifier=TokenMint().verifier())
        for add, service in AUTH:
            self.server.add(self.servicer, add, service)

    def channel(self, name: str, files: dict[str, Path | None]) -> ServiceChannel:
        return ServiceChannel(name, f"localhost:{self.server.port}", test_settings(self.folder, **files))

    def metric(self, name: str, use: str = "service") -> float | None:
        return self.metrics.registry.get_sample_value(name, {"use": use})


@pytest.fixture
async def served(tmp_path: Path, authority: Authority) -> AsyncIterator[Served]:
    made = Served(tmp_path, authority)
    await made.server.start()
    yield made
    await made.server.drain()


async def ask(channel: ServiceChannel, request: Any = PROFILES) -> None:
    await AuthStub(channel.channel).BatchGetProfiles(request, timeout=5)


async def refused(channel: ServiceChannel) -> str:
    """The reason a call is refused for."""
    with pytest.raises(RemoteError) as error:
        await AuthStub(channel.channel).BatchGetProfiles(PROFILES, timeout=1)
    return error.value.reason


async def test_the_caller_is_who_its_certificate_names(served: Served, authority: Authority) -> None:
    channel = served.channel("gateway", authority.files("room-directory"))
    await ask(channel)
    assert served.servicer.seen == ["room_directory"]
    await channel.close()


async def test_without_a_good_certificate_of_the_authority_there_is_no_connection(
    served: Served, authority: Authority, tmp_path: Path
) -> None:
    foreign = {**Authority(tmp_path / "foreign").files("gateway"), "tls_ca_file": authority.ca_file}
    expired = authority.files("gateway", lives=timedelta(hours=-1))
    plain: dict[str, Path | None] = dict.fromkeys(("tls_cert_file", "tls_key_file", "tls_ca_file"))
    for files in (foreign, expired, plain):
        channel = served.channel("gateway", files)
        assert await refused(channel) in ("PART_UNAVAILABLE", "TOO_SLOW")
        await channel.close()
    bare = grpc.aio.secure_channel(
        f"localhost:{served.server.port}", grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await AuthStub(bare).GetKeySet(identity_service_pb2.GetKeySetRequest(), timeout=2)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    await bare.close()
    assert served.servicer.seen == []


async def test_a_client_does_not_talk_to_a_server_of_another_authority(served: Served, tmp_path: Path) -> None:
    channel = served.channel("gateway", Authority(tmp_path / "other").files("gateway"))
    assert await refused(channel) in ("PART_UNAVAILABLE", "TOO_SLOW")
    await channel.close()


async def test_calls_go_on_while_every_certificate_is_replaced(
    served: Served, authority: Authority, tmp_path: Path
) -> None:
    channel = served.channel("gateway", authority.files("gateway"))
    await ask(channel)
    old = Authority.copy_of(authority, tmp_path / "old")
    long_call = asyncio.ensure_future(ask(channel, AT_LEISURE))
    await eventually(lambda: len(served.servicer.seen) == 2)
    calls, failures = 0, []

    async def keep_asking() -> None:
        nonlocal calls
        while not long_call.done():
            try:
                await ask(channel)
            except RemoteError as error:
                failures.append(error)
            calls += 1

    asking = asyncio.ensure_future(keep_asking())
    # As operators do it: first both authorities are trusted, then everybody gets a new certificate, then the old goes.
    following = Authority(tmp_path / "next", "Next authority")
    both = authority.ca_file.read_bytes() + following.ca_file.read_bytes()
    authority.ca_file.write_bytes(both)
    await eventually(lambda: calls > 5)
    for name in ("auth", "gateway"):
        for fresh, used in zip(following.issue(name), authority.issue(name), strict=True):
            fresh.replace(used)
    seen = calls
    await eventually(lambda: calls > seen + 5)
    authority.ca_file.write_bytes(following.ca_file.read_bytes())
    seen = calls
    await eventually(lambda: calls > seen + 5)
    served.servicer.go_on.set()
    await long_call
    await asking
    assert failures == []

    late = served.channel("gateway", {**old.files("gateway"), "tls_ca_file": authority.ca_file})
    assert await refused(late) in ("PART_UNAVAILABLE", "TOO_SLOW")
    another = served.channel("room_directory", {**following.files("room-directory"), "tls_ca_file": authority.ca_file})
    await ask(another)
    for each in (channel, late, another):
        await each.close()


async def test_a_connection_of_before_speaks_for_nobody_once_its_authority_is_gone(
    served: Served, authority: Authority, tmp_path: Path
) -> None:
    old = Authority.copy_of(authority, tmp_path / "old")
    channel = served.channel("gateway", old.files("gateway"))
    await ask(channel)
    following = Authority(tmp_path / "tls", "Next authority")
    following.issue("auth")
    assert await refused(channel) == "CALLER_NOT_ALLOWED"
    await channel.close()


def test_a_certificate_that_ended_during_a_connection_speaks_for_nobody(authority: Authority) -> None:
    cert, key = authority.issue("gateway", lives=timedelta(hours=1))
    now = time.time()
    identities = PeerIdentities(CertificateFiles(cert, key, authority.ca_file), "majlis", lambda: now)
    peer = {"x509_pem_cert": [cert.read_bytes()], "peer_spiffe_id": [b"spiffe://majlis/gateway"]}
    assert identities.service_of(peer) == "gateway"
    now += 3_700
    assert identities.service_of(peer) is None


async def test_files_that_do_not_belong_together_change_nothing_and_are_told(
    served: Served, authority: Authority
) -> None:
    before = served.metric("majlis_tls_certificate_expiry_timestamp_seconds")
    cert, key = authority.issue("auth", lives=timedelta(days=9))
    good = key.read_bytes()
    key.write_bytes(authority.issue("other")[1].read_bytes())
    channel = served.channel("gateway", authority.files("gateway"))
    await ask(channel)
    assert served.metric("majlis_tls_certificate_expiry_timestamp_seconds") == before
    assert served.metric("majlis_tls_files_unusable") == 1
    cert.rename(cert.with_suffix(".away"))
    await ask(channel)
    cert.with_suffix(".away").rename(cert)
    key.write_bytes(good)
    later = served.metric("majlis_tls_certificate_expiry_timestamp_seconds")
    assert before is not None
    assert later is not None
    assert later > before + 86_400
    assert served.metric("majlis_tls_files_unusable") == 0
    assert (served.metric("majlis_tls_certificate_expiry_timestamp_seconds", "service_authority") or 0) > before - 9
    await channel.close()


def broken(authority: Authority) -> Iterator[tuple[dict[str, Path | None], str]]:
    """Sets of files that stop a service, and what it says of them."""
    yield {**authority.files("one"), "tls_ca_file": None}, "together"
    yield {**authority.files("two"), "tls_key_file": authority.issue("other")[1]}, "do not belong together"
    cert, key = authority.issue("three")
    cert.write_text("no certificate")
    yield {"tls_cert_file": cert, "tls_key_file": key, "tls_ca_file": authority.ca_file}, "no PEM certificate"
    cert, key = authority.issue("four")
    key.write_text("no key")
    yield {"tls_cert_file": cert, "tls_key_file": key, "tls_ca_file": authority.ca_file}, "no PEM private key"
    yield {**authority.files("five"), "tls_ca_file": authority.ca_file.with_name("nowhere")}, "nowhere"


async def test_files_that_cannot_be_used_stop_a_service_that_starts(tmp_path: Path, authority: Authority) -> None:
    for files, said in broken(authority):
        with pytest.raises(SettingsError, match=said):
            ServiceChannel("auth", "localhost:1", test_settings(tmp_path, **files))
