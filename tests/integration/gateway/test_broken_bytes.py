"""What a stranger sends is the stranger's mistake: broken bytes, to every RPC for people, by every protocol."""

import base64
import io
import json
import logging
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
import structlog
from google.rpc import status_pb2  # type: ignore[import-untyped]
from majlis.contract.v1 import options_pb2

from services.common.rpc.errors import STATUS_DETAILS
from services.common.sight import log
from services.gateway.call.offered import Catalogue, Offered, contract_services
from services.gateway.call.status import reason_of
from tests.integration.gateway.conftest import Origin, all_parts, gateway_over
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint

OFFERED = sorted(Catalogue(contract_services()), key=lambda each: each.path)
UNARY = [each for each in OFFERED if not each.policy.streams_out]
STREAMS = [each for each in OFFERED if each.policy.streams_out]
# An unfinished tag, a group that nobody began, a length beyond the end, and groups without end.
BROKEN = (b"\xff", b"\x0c", b"\x0a\x7f", b"\x0b" * 200)
BROKEN_JSON = (
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"NaN",
    b'{"x":NaN}',
    b'{"x":1e999}',
    b'{"x":' + b"9" * 5_000 + b"}",
    b'{"x":"\\ud800"}',
    b'{"\\udfff":1}',
    b'{"x":1,"x":1}',
    b"[" * 100_000,
    b'{"x":' * 40_000,
    b'{"x":"\xe9"}',
    b"\xff\xfe{\x00}\x00",
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the process logs, set up as in production. Whatever is sent here is worth no line, or a few at most."""
    root, config = logging.getLogger(), structlog.get_config()
    before = (list(root.handlers), root.level)
    written = io.StringIO()
    log.configure("gateway", "json", "info", written)
    yield written
    root.handlers[:], root.level = before
    structlog.configure(**config)


@pytest.fixture
async def origin(nats_server: NatsServer, tmp_path: Path, lines: io.StringIO) -> AsyncIterator[Origin]:
    """A gateway that lets a storm through."""
    mint = TokenMint()
    calm = {"request_burst": 1e6, "requests_per_second": 1e6}
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, tmp_path, **calm) as running:
        lines.seek(0)
        lines.truncate()
        yield running
        # A channel of an earlier test may still say that its loop is gone, and the directory what it is told.
        expected = ("Event loop is closed", "FleetService/ReportListeners")
        written = [each for each in lines.getvalue().splitlines() if not any(one in each for one in expected)]
        assert not written, written[:5]


def framed(payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(payload)) + payload


def broken_for(offered: Offered) -> tuple[bytes, ...]:
    """Bytes that are no request of this RPC; where it has a text, also one that is no UTF-8."""
    texts = [f for f in offered.request_type.DESCRIPTOR.fields if f.type == f.TYPE_STRING and f.number < 16]
    return (*BROKEN, *(bytes((each.number << 3 | 2, 1, 0xFF)) for each in texts[:1]))


def wrong_kinds(offered: Offered) -> Iterator[bytes]:
    """For each field of a request a value of a kind it cannot have."""
    for field in offered.request_type.DESCRIPTOR.fields:
        values: tuple[Any, ...] = ({"no": "such"}, [[]], 1.5, "\ud800", True)
        for value in values:
            is_message = field.message_type is not None
            fits = (is_message and isinstance(value, dict)) or (
                value is True and field.cpp_type == field.CPPTYPE_BOOL and not field.is_repeated
            )
            # The library takes any number, and true, for an enum's.
            is_number = field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT, field.CPPTYPE_ENUM)
            if not fits and not (is_number and isinstance(value, float | bool)):
                yield json.dumps({field.json_name: value}).encode()


def assert_refused(status: int, body: bytes, what: object) -> None:
    assert status == 400, (what, status, body)
    error = json.loads(body)
    assert error["code"] == "invalid_argument", (what, error)
    assert error["details"][0]["debug"]["reason"] == "FIELD_INVALID", (what, error)


def forwarded(origin: Origin) -> float:
    found = origin.metrics.registry.collect()
    samples = [s for m in found if m.name == "majlis_gateway_forward_duration_seconds" for s in m.samples]
    return sum(s.value for s in samples if s.name.endswith("_count"))


async def test_bytes_that_are_no_message_are_refused_by_every_rpc_before_they_are_forwarded(origin: Origin) -> None:
    signed = origin.bearer(operator=True)
    for offered in UNARY:
        for body in broken_for(offered):
            what = (offered.path, body)
            plain = await origin.client.post(
                offered.path, content=body, headers={**signed, "Content-Type": "application/proto"}
            )
            assert_refused(plain.status_code, plain.content, what)
            for kind, text in (("grpc-web+proto", False), ("grpc-web-text", True)):
                content = base64.b64encode(framed(body)) if text else framed(body)
                web = await origin.client.post(
                    offered.path, content=content, headers={**signed, "Content-Type": f"application/{kind}"}
                )
                answer = base64.b64decode(web.content) if text else web.content
                assert b"grpc-status: 3\r\n" in answer, (what, kind, answer)
    assert forwarded(origin) == 0


async def test_bytes_that_are_no_json_are_refused_by_every_rpc_before_they_are_forwarded(origin: Origin) -> None:
    headers = {**origin.bearer(operator=True), "Content-Type": "application/json"}
    for offered in UNARY:
        for body in (*BROKEN_JSON, *wrong_kinds(offered)):
            answer = await origin.client.post(offered.path, content=body, headers=headers)
            assert_refused(answer.status_code, answer.content, (offered.path, body[:80]))
    assert forwarded(origin) == 0


async def test_what_may_be_asked_by_get_refuses_the_same_in_the_query(origin: Origin) -> None:
    signed = origin.bearer(operator=True)
    readable = [each for each in UNARY if each.policy.no_side_effects]
    assert readable
    for offered in readable:
        for body in broken_for(offered):
            packed = base64.urlsafe_b64encode(body).decode().rstrip("=")
            for query in (f"base64=1&message={packed}", f"message={quote(body)}"):
                answer = await origin.client.get(f"{offered.path}?encoding=proto&{query}", headers=signed)
                assert_refused(answer.status_code, answer.content, (offered.path, query))
        for query in (
            "encoding=json&message=%7B",
            "encoding=json&message=%7B%22x%22:%22Jos%E9%22%7D",
            "encoding=json&base64=2&message=e30",
            "encoding=json&base64=1&message=e3.0",
            "encoding=json&base64=1&message=a",
            "encoding=json&connect=v2&message=%7B%7D",
        ):
            answer = await origin.client.get(f"{offered.path}?{query}", headers=signed)
            assert_refused(answer.status_code, answer.content, (offered.path, query))
    assert forwarded(origin) == 0


async def test_streams_refuse_the_same_in_their_last_frame(origin: Origin) -> None:
    signed = origin.bearer(operator=True)
    assert STREAMS
    for offered in STREAMS:
        for kind, bodies in (
            ("connect+proto", broken_for(offered)),
            ("connect+json", BROKEN_JSON),
            ("grpc-web", broken_for(offered)),
            ("grpc-web-text", broken_for(offered)),
        ):
            for body in bodies:
                content = base64.b64encode(framed(body)) if kind == "grpc-web-text" else framed(body)
                answer = await origin.client.post(
                    offered.path, content=content, headers={**signed, "Content-Type": f"application/{kind}"}
                )
                told = base64.b64decode(answer.content) if kind == "grpc-web-text" else answer.content
                told_so = b"grpc-status: 3\r\n" if kind.startswith("grpc") else b'"invalid_argument"'
                assert told_so in told, (offered.path, kind, body[:80], told)


async def test_native_grpc_refuses_the_same(origin: Origin) -> None:
    metadata = (("authorization", f"Bearer {origin.mint.token(operator=True)}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{origin.grpc_port}") as channel:
        for offered in OFFERED:
            for body in broken_for(offered):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await native(channel, offered, body, metadata)
                assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (offered.path, body)
                details = dict(caught.value.trailing_metadata() or ())[STATUS_DETAILS]
                assert reason_of(status_pb2.Status.FromString(details)) == "FIELD_INVALID"
    assert forwarded(origin) == 0


async def native(channel: grpc.aio.Channel, offered: Offered, body: bytes, metadata: Any) -> None:
    if offered.policy.streams_out:
        stream: Any = channel.unary_stream(offered.path)
        await stream(body, metadata=metadata, timeout=10).read()
        return
    unary: Any = channel.unary_unary(offered.path)
    await unary(body, metadata=metadata, timeout=10)


async def test_without_a_token_it_is_the_token_that_is_missing_or_the_bytes_that_are_broken(origin: Origin) -> None:
    for offered in UNARY:
        answer = await origin.client.post(
            offered.path, content=b"\xff", headers={"Content-Type": "application/proto", "X-Majlis-Client": ""}
        )
        expected = 400 if offered.policy.kind == options_pb2.CALLER_PUBLIC else 401
        assert answer.status_code == expected, (offered.path, answer.text)
