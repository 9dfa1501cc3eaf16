"""The origin as such: the page, its headers, limits for impolite clients, and a new RPC without new code."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pool, struct_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from majlis.contract.v1 import options_pb2
from prometheus_client import generate_latest

from services.gateway.call.offered import contract_services
from services.gateway.http import protocol
from services.gateway.http.server import bind
from tests.integration.gateway.conftest import Origin, all_parts, gateway_over
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint
from tests.support.streams import EventStream


@pytest.fixture
def site(origin: Origin) -> Path:
    """A built client."""
    web = origin.settings.web_directory
    (web / "assets").mkdir()
    (web / "index.html").write_text("<!doctype html><title>Majlis</title>")
    (web / "assets" / "app-1a2b.js").write_text("console.log(1)")
    (web / "assets" / "app-1a2b.js.br").write_bytes(b"brotli")
    (web / "manifest.webmanifest").write_text("{}")
    return web


@pytest.mark.usefixtures("site")
async def test_every_address_of_the_client_is_its_page(origin: Origin) -> None:
    for path in ("/", "/r/room000000000001", "/i/abcdefgh2345", "/i/abcdefgh2345).", "/index.html", "/profile?x=1"):
        response = await origin.client.get(path)
        assert (path, response.status_code) == (path, 200)
        assert "Majlis" in response.text
        assert response.headers["cache-control"] == "no-cache"


@pytest.mark.usefixtures("site")
async def test_an_address_that_leads_nowhere_is_404_and_still_a_page_for_people(origin: Origin) -> None:
    page = await origin.client.get("/nothing/here.html", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, "Majlis" in page.text) == (404, True)
    assert page.headers["content-type"].startswith("text/html")
    again = {"Accept": "text/html", "If-None-Match": page.headers["etag"]}
    assert (await origin.client.get("/nothing", headers=again)).status_code == 404
    for path in ("/robots.txt", "/favicon.ico", "/assets/gone"):
        file = await origin.client.get(path)
        assert (file.status_code, file.text) == (404, "no such file\n")


@pytest.mark.usefixtures("site")
async def test_the_page_may_load_and_run_nothing_that_is_not_ours(origin: Origin) -> None:
    headers = (await origin.client.get("/")).headers
    policy = {
        name: rest
        for name, _, rest in (part.strip().partition(" ") for part in headers["content-security-policy"].split(";"))
    }
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"].startswith("microphone=(self)")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.usefixtures("site")
async def test_assets_are_kept_for_ever_and_sent_compressed(origin: Origin) -> None:
    response = await origin.client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip"})
    assert response.text == "console.log(1)"
    assert "immutable" in response.headers["cache-control"]
    async with origin.client.stream("GET", "/assets/app-1a2b.js", headers={"Accept-Encoding": "br"}) as packed:
        assert packed.headers["content-encoding"] == "br"
    again = {"If-None-Match": response.headers["etag"]}
    assert (await origin.client.get("/assets/app-1a2b.js", headers=again)).status_code == 304


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("path", ["/assets/gone.js", "/../secret", "/%2e%2e/secret.txt", "/assets/%2e%2e/%2e%2e/x.txt"])
async def test_nothing_outside_the_built_client_is_served(origin: Origin, path: str) -> None:
    (origin.settings.web_directory.parent / "secret.txt").write_text("secret")
    response = await origin.client.get(path)
    assert "secret" not in response.text


async def test_a_missing_build_is_explained(origin: Origin) -> None:
    response = await origin.client.get("/")
    assert response.status_code == 503
    assert "not built" in response.text


async def test_a_new_build_is_served_without_a_restart(origin: Origin, site: Path) -> None:
    await origin.client.get("/")
    await asyncio.sleep(0.02)
    (site / "index.html").write_text("<!doctype html><title>Newer</title>")
    assert "Newer" in (await origin.client.get("/")).text


async def test_a_head_that_comes_too_slowly_is_cut(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert b"408" in await asyncio.wait_for(reader.read(), 3)
    writer.close()


async def test_a_head_without_end_is_cut(origin: Origin) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-Filler: y\r\n" * 5_000)
    assert b"431" in await asyncio.wait_for(reader.read(), 3)
    writer.close()


async def test_a_body_that_never_comes_is_answered(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.gateway.http import asgi

    monkeypatch.setattr(asgi, "BODY_DEADLINE_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    head = "POST /majlis.auth.v1.SignInService/RefreshSession HTTP/1.1\r\nHost: x\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 5\r\n\r\n".encode())
    assert b"504" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 3)
    writer.close()


async def test_one_network_is_limited_and_told_when_to_come_back(tmp_path: Path, nats_server: NatsServer) -> None:
    mint = TokenMint()
    limits = {"request_burst": 3.0, "requests_per_second": 0.5, "trusted_proxies": ("127.0.0.1",)}
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, tmp_path, **limits) as origin:
        path = "/majlis.gateway.v1.ServerService/GetServerInfo"

        async def ask(client: str) -> httpx.Response:
            return await origin.rpc(path, **{"X-Forwarded-For": f"9.9.9.9, {client}"})

        codes = [(await ask("203.0.113.7")).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = await ask("203.0.113.99")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await ask("198.51.100.1")).status_code == 200


def new_contract(pool: descriptor_pool.DescriptorPool) -> Any:
    """A contract this code has never seen: one RPC for anyone, one for services."""
    file = FileDescriptorProto(name="bakery.proto", package="majlis.invite.v9", syntax="proto3")
    file.dependency.extend(["google/protobuf/struct.proto", "majlis/contract/v1/options.proto"])
    service = file.service.add(name="BakeryService")
    for name, kind in (("Bake", options_pb2.CALLER_PUBLIC), ("Heat", options_pb2.CALLER_SERVICE)):
        method = service.method.add(
            name=name, input_type=".google.protobuf.Struct", output_type=".google.protobuf.Struct"
        )
        options = MethodOptions()
        options.Extensions[options_pb2.caller].kind = kind
        if kind == options_pb2.CALLER_SERVICE:
            options.Extensions[options_pb2.caller].services.append("invite")
        method.options.CopyFrom(options)
    pool.Add(file)
    return pool.FindServiceByName("majlis.invite.v9.BakeryService")


class Bakery(grpc.GenericRpcHandler):
    """Answers the new contract, as a newer service would."""

    def service(self, details: Any) -> Any:
        if not details.method.startswith("/majlis.invite.v9.BakeryService/"):
            return None

        async def answer(request: bytes, context: Any) -> bytes:
            asked = struct_pb2.Struct.FromString(request)
            asked.update({"path": details.method})
            return asked.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
async def bakery() -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Bakery(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def test_a_new_rpc_is_forwarded_without_new_code(tmp_path: Path, nats_server: NatsServer, bakery: str) -> None:
    mint = TokenMint()
    service = new_contract(descriptor_pool.Default())
    async with all_parts(mint) as played:
        played["services"] = [*contract_services(), service]
        async with gateway_over(played, mint, nats_server.url, tmp_path, invite_address=bakery) as origin:
            response = await origin.rpc("/majlis.invite.v9.BakeryService/Bake", {"bread": "rye"})
            assert response.json() == {"bread": "rye", "path": "/majlis.invite.v9.BakeryService/Bake"}
            hidden = await origin.rpc("/majlis.invite.v9.BakeryService/Heat", {"bread": "rye"})
            assert hidden.status_code == 404
            async with grpc.aio.insecure_channel(f"127.0.0.1:{origin.grpc_port}") as channel:
                call: Any = channel.unary_unary("/majlis.invite.v9.BakeryService/Bake")
                answer = struct_pb2.Struct.FromString(await call(b""))
                assert dict(answer) == {"path": "/majlis.invite.v9.BakeryService/Bake"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["challengeId", "code", "profile", "tokens", "roomId", "refreshToken", "email", "locale", "kind"]
)


async def test_no_json_makes_the_gateway_fail(origin: Origin) -> None:
    """Whatever the body, the fault is the client's: never a 5xx."""
    bodies: list[bytes] = []

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(FIELDS, JSON, max_size=5) | JSON)
    def collect(value: Any) -> None:
        import json

        bodies.append(json.dumps(value).encode())

    collect()
    bodies += [b"", b"{", b"[" * 200_000, b'{"code":' * 20_000, b"\xff\xfe", b"9" * 10_000, b'{"code":1e999}', b"NaN"]
    paths = ["/majlis.auth.v1.SignInService/FinishEmailSignIn", "/majlis.auth.v1.AccountService/UpdateProfile"]
    for number, body in enumerate(bodies):
        headers = {"Content-Type": "application/json", **origin.bearer()}
        response = await origin.client.post(paths[number % 2], content=body, headers=headers)
        assert response.status_code < 500, (body[:200], response.text)


HOSTILE: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/events/room000000000001?" + "&".join("a=1" for _ in range(100)), {}),
    ("GET", "/events/room000000000001", {"Last-Event-ID": b"\xb2"}),
    ("GET", "/events/room000000000001", {"Last-Event-ID": "-1"}),
    ("GET", "/events/room000000000001?after=9999999999999999999999", {}),
    ("GET", "/events/..%2fx", {}),
    ("POST", "/majlis.auth.v1.AccountService/GetMe", {"Connect-Timeout-Ms": b"\xb2"}),
    ("POST", "/majlis.auth.v1.AccountService/GetMe", {"Connect-Timeout-Ms": "1e9"}),
    ("POST", "/majlis.auth.v1.AccountService/GetMe", {"grpc-timeout": "soon"}),
    ("GET", "/majlis.auth.v1.AccountService/GetMe?encoding=json&base64=1&message=%ff", {}),
    ("GET", "/majlis.auth.v1.AccountService/GetMe?" + "&".join("a=1" for _ in range(100)), {}),
    ("PATCH", "/media/relay00000000001/session0000000000", {"If-Match": "x" * 9000}),
]


async def test_hostile_paths_and_headers_are_the_clients_fault(origin: Origin) -> None:
    origin.directory.seat()
    for method, path, headers in HOSTILE:
        given = {**origin.bearer(), "Content-Type": "application/json", **headers}
        response = await origin.client.request(method, path, headers=given)
        assert 400 <= response.status_code < 500, (method, path, response.text)


async def test_a_crowd_that_opens_streams_at_once_is_spread(tmp_path: Path, nats_server: NatsServer) -> None:
    mint = TokenMint()
    pace = {"stream_opens_per_second": 2.0}
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, tmp_path, **pace) as origin:
        origin.directory.seat()
        streams = [EventStream(origin.port, "/events/room000000000001", origin.bearer()) for _ in range(6)]
        for each in streams:
            await each.__aenter__()
        refused = [each for each in streams if each.status == 429]
        assert len(refused) >= 1
        assert (await refused[0].body())["reason"] == "RATE_LIMITED"
        assert int(refused[0].headers["retry-after"]) >= 1
        for each in streams:
            await each.__aexit__()


async def test_connections_that_wait_to_be_accepted_are_counted() -> None:
    bound = bind(["127.0.0.1:0"])
    bound.sockets[0].listen(64)
    with contextlib.ExitStack() as after:
        after.enter_context(bound.sockets[0])
        assert bound.knocking() == 0
        for _ in range(5):
            after.enter_context(socket.create_connection(("127.0.0.1", bound.port), timeout=5))
        assert bound.knocking() == 5
        bound.sockets[0].accept()[0].close()
        assert bound.knocking() == 4
    assert bound.knocking() == 0, "nobody knocks where nobody listens"


async def test_what_happens_can_be_measured(origin: Origin) -> None:
    await origin.rpc("/majlis.auth.v1.AccountService/GetMe", **origin.bearer())
    await origin.client.get("/events/room000000000001", headers=origin.bearer())
    text = generate_latest(origin.metrics.registry).decode()
    assert 'majlis_gateway_http_requests_total{code="200",route="rpc"} 1.0' in text
    assert 'majlis_gateway_http_requests_total{code="400",route="events"} 1.0' in text
    assert 'majlis_gateway_stream_opens_total{result="refused"} 1.0' in text
    assert 'majlis_gateway_forward_duration_seconds_count{code="OK",service="auth"} 1.0' in text
    assert "majlis_gateway_streams_open 0.0" in text


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http_closes_the_connection_only(origin: Origin, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", origin.port), timeout=3) as raw:
        raw.sendall(data + b"\r\n" * 2)
        await asyncio.sleep(0.05)
    assert (await origin.client.get("/.well-known/majlis.json")).status_code == 200
