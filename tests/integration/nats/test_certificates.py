"""The certificates that the secrets command makes, on real servers: NATS and gRPC take them by the names in use."""

import asyncio
import ssl
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ops import certificates
from ops.nats_config import USERS
from services.common.bus.nkeys import UserKey
from services.common.rpc.server import RpcServer
from services.common.sight.metrics import Metrics
from tests.support.certificates import Authority
from tests.support.nats_server import secured_server
from tests.support.rpc_harness import test_settings


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder for each part, as its pod has it mounted."""
    authority = certificates.new_authority()
    for part in ("nats", "media-relay", "gateway"):
        folder = tmp_path / part
        folder.mkdir()
        for name, text in certificates.issue(authority, part, "hall").items():
            (folder / name).write_text(text)
    return tmp_path


def context_of(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    # The strictest reading of RFC 5280 that OpenSSL knows, which newer Pythons have by default.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


async def test_nats_is_taken_by_every_name_it_is_called_by_and_by_no_other(
    made: Path, request: pytest.FixtureRequest
) -> None:
    keys = {service: UserKey(service.encode().ljust(32, b".")).public for service in USERS}
    server = secured_server(made, Authority(made / "tls"), keys)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (made / "tls" / name).write_bytes((made / "nats" / name).read_bytes())
    server.start()
    request.addfinalizer(server.stop)
    for name in ("nats", "nats.hall", "nats.hall.svc", "nats-2.nats-peers.hall", "nats-0.nats-peers.hall.svc"):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context_of(made / "gateway"), server_hostname=name
        )
        assert (await reader.readline()).startswith(b"INFO ")
        writer.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context_of(made / "gateway"), server_hostname="nats.elsewhere"
        )


async def test_a_relay_s_pod_is_taken_by_its_name(made: Path) -> None:
    relay, gateway = made / "media-relay", made / "gateway"
    files = {"tls_cert_file": relay / "tls.crt", "tls_key_file": relay / "tls.key", "tls_ca_file": relay / "ca.crt"}
    server = RpcServer("media_relay", test_settings(made, **files), Metrics("media_relay"))
    await server.start()
    credentials = grpc.ssl_channel_credentials(
        *((gateway / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    )
    for name, is_taken in (("media-relay-3.media-relay.hall", True), ("gateway.hall", False)):
        options = (("grpc.ssl_target_name_override", name),)
        async with grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials, options=options) as channel:
            call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            if is_taken:
                assert (await call).status == health_pb2.HealthCheckResponse.SERVING
            else:
                with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
                    await call
    await server.drain()
