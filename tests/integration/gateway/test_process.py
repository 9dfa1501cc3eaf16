"""The gateway as a process: over TLS, with services away, told what it cannot do, and asked to stop."""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from majlis.gateway.v1 import event_service_pb2, event_service_pb2_grpc

from tests.integration.gateway.conftest import ROOM, all_parts
from tests.support.certificates import Authority
from tests.support.nats_server import NatsServer
from tests.support.processes import free_port, stopping
from tests.support.rpc_harness import SECRET, TokenMint
from tests.support.streams import EventStream

ROOT = Path(__file__).resolve().parents[3]


def start(tmp_path: Path, **settings: str) -> "subprocess.Popen[bytes]":
    """A gateway process with these settings; services and bus are not there unless given."""
    (tmp_path / "secret").write_text(SECRET)
    given = {
        "SERVICE_SECRET_FILE": str(tmp_path / "secret"),
        "READY_FILE": str(tmp_path / "ready.json"),
        "LISTEN": "127.0.0.1:0",
        "NATS_URL": "nats://127.0.0.1:1",
        "AUTH_ADDRESS": "127.0.0.1:1",
        "INVITE_ADDRESS": "127.0.0.1:1",
        "ROOM_DIRECTORY_ADDRESS": "127.0.0.1:1",
        **settings,
    }
    env = {f"GATEWAY_{name}": value for name, value in given.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def ports(tmp_path: Path) -> dict[str, int]:
    path = tmp_path / "ready.json"
    for _ in range(2000):
        if path.exists():
            return dict(json.loads(path.read_text()))
        await asyncio.sleep(0.01)
    raise AssertionError("the gateway did not become ready")


async def test_it_serves_its_page_with_every_other_part_away(tmp_path: Path) -> None:
    web = tmp_path / "dist"
    web.mkdir()
    (web / "index.html").write_text("<!doctype html><title>Majlis</title>")
    process = start(tmp_path, WEB_DIRECTORY=str(web))
    with stopping(process):
        port = (await ports(tmp_path))["http"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert "Majlis" in (await client.get("/r/room")).text
            answer = await client.post(
                "/majlis.auth.v1.SignInService/StartPasskeySignIn", json={}, headers={"X-Forwarded-For": "1.2.3.4"}
            )
            assert answer.status_code == 503


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"LISTNE": "127.0.0.1:1"}, "GATEWAY_LISTNE is not a setting"),
        ({"PUBLIC_URL": "hall.example"}, "GATEWAY_PUBLIC_URL="),
        ({"TLS_CERT": "cert.pem"}, "GATEWAY_TLS_CERT and GATEWAY_TLS_KEY must be set together"),
        ({"TRUSTED_PROXIES": "10.0.0.0/99"}, "GATEWAY_TRUSTED_PROXIES"),
        ({"INVITE_ADDRESS": ""}, "GATEWAY_INVITE_ADDRESS must be set"),
        ({"TLS_CERT": "/no/such.pem", "TLS_KEY": "/no/such.key"}, "cannot be"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_plain_line(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    process = start(tmp_path, **settings)
    with stopping(process):
        _, err = process.communicate(timeout=20)
    # Plain at first, one of the log's lines once there is a log; never a stack.
    lines = [line for line in err.decode().splitlines() if not line.startswith("{") or "cannot go on" in line]
    assert process.returncode == 2
    assert len(lines) == 1
    assert words in lines[0]


def test_a_taken_port_is_one_plain_line(tmp_path: Path) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        process = start(tmp_path, LISTEN=taken)
        with stopping(process):
            _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert taken in err.decode()


async def test_over_tls_page_and_grpc_prove_the_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("hall.example")
    process = start(
        tmp_path, TLS_CERT=str(cert), TLS_KEY=str(key), PUBLIC_URL="https://hall.example", WEB_DIRECTORY=str(tmp_path)
    )
    with stopping(process):
        given = await ports(tmp_path)
        trust = ssl.create_default_context(cafile=str(authority.ca_file))
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{given['http']}", verify=trust) as client:
            page = await client.get("/")
            assert "max-age" in page.headers["strict-transport-security"]
            info = (await client.get("/.well-known/majlis.json")).json()
            assert info["grpc"] == f"hall.example:{given['grpc']}"
            web = {"Origin": "https://evil.example", "X-Majlis-Client": "web"}
            refused = await client.post("/majlis.auth.v1.SignInService/SignOut", json={}, headers=web)
            assert refused.status_code == 403
        credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{given['grpc']}", credentials) as channel:
            stub: Any = event_service_pb2_grpc.ServerServiceStub(channel)
            assert (await stub.GetServerInfo(event_service_pb2.GetServerInfoRequest())).url == "https://hall.example"


async def test_a_renewed_certificate_is_shown_to_new_connections_while_open_ones_go_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("hall.example")
    process = start(
        tmp_path, TLS_CERT=str(cert), TLS_KEY=str(key), PUBLIC_URL="https://hall.example", WEB_DIRECTORY=str(tmp_path)
    )
    request = event_service_pb2.GetServerInfoRequest()

    async def expiry(given: dict[str, int]) -> float:
        async with httpx.AsyncClient() as prometheus:
            text = (await prometheus.get(f"http://127.0.0.1:{given['metrics']}/metrics")).text
        name = 'majlis_tls_certificate_expiry_timestamp_seconds{use="public"}'
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))

    with stopping(process):
        given = await ports(tmp_path)
        before = await expiry(given)
        url = f"https://127.0.0.1:{given['http']}"
        old_trust = ssl.create_default_context(cafile=str(authority.ca_file))
        credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
        async with (
            httpx.AsyncClient(base_url=url, verify=old_trust) as browser,
            grpc.aio.secure_channel(f"127.0.0.1:{given['grpc']}", credentials) as old_channel,
        ):
            assert (await browser.get("/.well-known/majlis.json")).status_code == 200
            open_stub: Any = event_service_pb2_grpc.ServerServiceStub(old_channel)
            await open_stub.GetServerInfo(request)

            # Another authority, so that only a handshake with the new certificate can succeed.
            renewed = Authority(tmp_path / "renewed")
            for fresh, used in zip(renewed.issue("hall.example", lives=timedelta(days=9)), (cert, key), strict=True):
                fresh.replace(used)
            new_trust = ssl.create_default_context(cafile=str(renewed.ca_file))

            async def is_shown() -> bool:
                async with httpx.AsyncClient(base_url=url, verify=new_trust) as visitor:
                    try:
                        return (await visitor.get("/.well-known/majlis.json")).status_code == 200
                    except httpx.ConnectError:
                        return False

            for _ in range(100):
                if await is_shown():
                    break
                await asyncio.sleep(0.1)
            assert await is_shown()
            credentials = grpc.ssl_channel_credentials(renewed.ca_file.read_bytes())
            async with grpc.aio.secure_channel(f"127.0.0.1:{given['grpc']}", credentials) as new_channel:
                stub: Any = event_service_pb2_grpc.ServerServiceStub(new_channel)
                await stub.GetServerInfo(request, timeout=10)
            assert (await browser.get("/.well-known/majlis.json")).status_code == 200
            await open_stub.GetServerInfo(request)
            assert await expiry(given) > before + 86_400


async def test_told_to_stop_it_lets_readers_go_and_ends(tmp_path: Path, nats_server: NatsServer) -> None:
    mint = TokenMint()
    async with all_parts(mint) as played:
        played["directory"].seat()
        process = start(
            tmp_path,
            NATS_URL=nats_server.url,
            AUTH_ADDRESS=played["auth_address"],
            ROOM_DIRECTORY_ADDRESS=played["directory_address"],
            DRAIN_SECONDS="0.3",
        )
        with stopping(process):
            port = (await ports(tmp_path))["http"]
            headers = {"Authorization": f"Bearer {mint.token()}"}
            async with EventStream(port, f"/events/{ROOM}", headers) as events:
                await events.until("snapshot")
                process.send_signal(signal.SIGTERM)
                await events.until("draining")
                assert events.retry is not None
            assert await asyncio.to_thread(process.wait, 10) == 0


async def test_both_loopback_names_are_served_from_one_port(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, LISTEN=f"127.0.0.1:{port},[::1]:{port}")
    with stopping(process):
        await ports(tmp_path)
        async with httpx.AsyncClient() as client:
            for host in ("127.0.0.1", "[::1]"):
                assert (await client.get(f"http://{host}:{port}/.well-known/majlis.json")).status_code == 200
