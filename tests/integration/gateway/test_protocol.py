"""HTTP as old, odd and hostile clients speak it, over a plain socket."""

import asyncio
import gc
import socket
import struct
from pathlib import Path

import pytest

from services.gateway.http import protocol
from tests.integration.gateway.conftest import ROOM, Origin
from tests.support.fake_bus import eventually

INFO = "/.well-known/majlis.json"


async def told(origin: Origin, sent: bytes, seconds: float = 5.0) -> bytes:
    """All that comes back until the gateway closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(sent)
    async with asyncio.timeout(seconds):
        data = await reader.read()
    writer.close()
    return data


@pytest.mark.parametrize("keep", [b"", b"Connection: keep-alive\r\n"])
async def test_a_client_of_http_1_0_gets_streams_without_chunks_until_the_end(origin: Origin, keep: bytes) -> None:
    origin.directory.seat()
    bearer = origin.bearer()["Authorization"].encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(b"GET /events/%s HTTP/1.0\r\nAuthorization: %s\r\n%s\r\n" % (ROOM.encode(), bearer, keep))
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).lower()
    assert b" 200 " in head
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head
    body = await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)
    assert body.startswith(b"retry: ")
    event = await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)
    assert event.startswith(b"id: ")
    assert b"event: snapshot" in event
    writer.close()
    await eventually(lambda: origin.gateway.watching.open_streams == 0)


async def test_a_client_of_http_1_0_gets_what_has_a_length_with_it(origin: Origin) -> None:
    answer = await told(origin, f"GET {INFO} HTTP/1.0\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert f"content-length: {len(body)}".encode() in head
    assert b"100 Continue" not in await told(
        origin,
        b"POST /majlis.gateway.v1.ServerService/GetServerInfo HTTP/1.0\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    )


async def test_who_begins_no_request_is_closed_without_an_answer(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE_SECONDS", 0.1)
    assert await told(origin, b"") == b""
    assert b" 408 " in await told(origin, b"GET / HT")


HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\n",
        b"GET / HTTP/1.1\r\nHost: a, b\r\n",
        b"GET / HTTP/1.1\r\nHost: user@a b\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X Y: z\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n folded\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n",
    ],
)
async def test_a_head_that_two_servers_could_read_in_two_ways_is_400(origin: Origin, head: bytes) -> None:
    answer = await told(origin, head + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_head_that_is_too_large_is_431_however_it_arrives(origin: Origin) -> None:
    large = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 40_000 + b"\r\n\r\n"
    assert (await told(origin, large)).startswith(b"HTTP/1.1 431 ")


async def test_fields_behind_a_body_are_no_headers(origin: Origin) -> None:
    call = (
        b"POST /majlis.auth.v1.AccountService/GetMe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: %s\r\n\r\n"
    )
    answer = await told(origin, call % origin.bearer()["Authorization"].encode())
    assert b" 401 " in answer.partition(b"\r\n")[0]


async def test_a_body_that_is_refused_before_it_came_whole_breaks_nothing_after_it(origin: Origin) -> None:
    body = b"x" * 300_000
    first = b"POST /majlis.auth.v1.AccountService/GetMe HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    first += b"Content-Length: %d\r\n\r\n" % len(body)
    second = f"GET {INFO} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(first)
    assert b" 415 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
    writer.write(body + second)
    rest = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert rest.count(b"HTTP/1.1 ") == 1
    assert b"HTTP/1.1 200 " in rest


async def test_an_offer_of_another_protocol_is_passed_over(origin: Origin) -> None:
    for offer in (
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Upgrade: x\r\n",
    ):
        sent = f"GET {INFO} HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n".encode() + offer
        assert (await told(origin, sent + b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_each_coding_of_a_file_has_its_own_tag_and_weight(origin: Origin) -> None:
    web: Path = origin.settings.web_directory
    (web / "index.html").write_text("plain")
    (web / "index.html.br").write_bytes(b"brotli")
    (web / "index.html.gz").write_bytes(b"gzip")

    async def ask(**headers: str) -> tuple[int, str, str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with origin.client.stream("GET", "/", headers=given) as answer:
            assert answer.headers["vary"] == "accept-encoding"
            return answer.status_code, answer.headers.get("content-encoding", ""), answer.headers["etag"]

    tags = {coding: await ask(Accept_Encoding=coding) for coding in ("br", "gzip", "identity")}
    assert [each[1] for each in tags.values()] == ["br", "gzip", ""]
    assert len({each[2] for each in tags.values()}) == 3
    for accepted, coding in (
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("GZIP", "gzip"),
        ("brr, xgzip", ""),
        ("identity, br;q=0.5", ""),
        ("", ""),
    ):
        assert (await ask(Accept_Encoding=accepted))[1] == coding, accepted
    tag = tags["br"][2]
    for known, status in ((tag, 304), ("*", 304), (f'"x", W/{tag}', 304), (tags["gzip"][2], 200), (tag[1:-1], 200)):
        assert (await ask(Accept_Encoding="br", If_None_Match=known))[0] == status, known


async def test_beyond_a_bound_who_reads_a_page_is_waited_for_briefly_and_nobody_else(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_KEPT_OPEN", 0)
    monkeypatch.setattr(protocol, "_BRIEF_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    for method, is_last in ((b"GET", False), (b"POST", True)):
        writer.write(method + f" {INFO} HTTP/1.1\r\n".encode() + HOST + b"Content-Length: 0\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert (b"connection: close" in head.lower()) is is_last
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
    idle, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(f"GET {INFO} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    assert await asyncio.wait_for(idle.read(), 5), "answered, and ended soon after"
    writer.close()


async def test_beyond_a_bound_each_connection_ends_with_its_answer_and_streams_do_not_count(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("MOST_KEPT_OPEN", "MOST_KEPT_BRIEFLY"):
        monkeypatch.setattr(protocol, bound, protocol.GatewayProtocol.brief_now)
    answer = await told(origin, f"GET {INFO} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    assert b" 200 " in answer
    assert b"connection: close" in answer.lower()
    monkeypatch.undo()
    origin.directory.seat()
    bearer = origin.bearer()["Authorization"].encode()
    await eventually(lambda: protocol.GatewayProtocol.brief_now == 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(b"GET /events/%s HTTP/1.1\r\nAuthorization: %s\r\n%s\r\n" % (ROOM.encode(), bearer, HOST))
    await asyncio.wait_for(reader.readuntil(b"event: snapshot"), 5)
    assert protocol.GatewayProtocol.brief_now == 0
    writer.close()
    await eventually(lambda: origin.gateway.watching.open_streams == 0)
    assert protocol.GatewayProtocol.brief_now == 0


def _kept() -> int:
    gc.collect()
    return sum(isinstance(each, protocol.GatewayProtocol) for each in gc.get_objects())


async def test_nothing_of_a_connection_stays_once_its_client_resets_it(origin: Origin) -> None:
    before = _kept()
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(f"GET {INFO} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
    await eventually(lambda: _kept() <= before)
