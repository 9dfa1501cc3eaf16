"""Watch over HTTP for clients that speak Connect or gRPC-web, and Connect's GET."""

import asyncio
import base64
import json
import struct
from typing import Any

import httpx
from majlis.auth.v1 import account_service_pb2
from majlis.gateway.v1 import event_service_pb2

from tests.integration.gateway.conftest import ROOM, Origin
from tests.support.fake_bus import eventually

WATCH = "/majlis.gateway.v1.EventService/Watch"


def framed(payload: bytes) -> bytes:
    return struct.pack(">BI", 0, len(payload)) + payload


async def frames_of(response: httpx.Response, count: int) -> list[tuple[int, bytes]]:
    """The first `count` frames of a streamed body."""
    data, frames = b"", []
    async with asyncio.timeout(5):
        async for part in response.aiter_bytes():
            data += part
            while len(data) >= 5 and len(data) >= 5 + struct.unpack(">I", data[1:5])[0]:
                size = struct.unpack(">I", data[1:5])[0]
                frames.append((data[0], data[5 : 5 + size]))
                data = data[5 + size :]
            if len(frames) >= count:
                break
    return frames


async def test_watch_streams_json_to_connect_clients(origin: Origin) -> None:
    origin.directory.seat()
    headers = {"Content-Type": "application/connect+json", **origin.bearer()}
    body = framed(json.dumps({"roomId": ROOM}).encode())
    async with origin.client.stream("POST", WATCH, content=body, headers=headers) as response:
        assert response.headers["content-type"] == "application/connect+json"
        ((flags, payload),) = await frames_of(response, 1)
    assert flags == 0
    assert json.loads(payload)["event"]["snapshot"]["room"]["title"] == "Evening"
    await eventually(lambda: origin.gateway.watching.open_streams == 0)


async def test_watch_streams_to_grpc_web_clients(origin: Origin) -> None:
    origin.directory.seat()
    headers = {"Content-Type": "application/grpc-web+proto", **origin.bearer()}
    body = framed(event_service_pb2.WatchRequest(room_id=ROOM).SerializeToString())
    async with origin.client.stream("POST", WATCH, content=body, headers=headers) as response:
        ((_, payload),) = await frames_of(response, 1)
    assert event_service_pb2.WatchResponse.FromString(payload).event.snapshot.room.title == "Evening"


async def test_watch_streams_to_grpc_web_clients_that_read_text(origin: Origin) -> None:
    origin.directory.seat()
    headers = {"Content-Type": "application/grpc-web-text", **origin.bearer()}
    body = base64.b64encode(framed(event_service_pb2.WatchRequest(room_id=ROOM).SerializeToString()))
    async with origin.client.stream("POST", WATCH, content=body, headers=headers) as response:
        assert response.headers["content-type"] == "application/grpc-web-text"
        async with asyncio.timeout(5):
            text = await anext(response.aiter_bytes())
    payload = base64.b64decode(text)[5:]
    assert event_service_pb2.WatchResponse.FromString(payload).event.snapshot.room.title == "Evening"
    refused = await origin.client.post(WATCH, content=body, headers={"Content-Type": "application/grpc-web-text"})
    assert b"grpc-status: 16\r\n" in base64.b64decode(refused.content)


async def test_what_is_asked_with_get_may_be_of_any_script(origin: Origin) -> None:
    path = "/majlis.auth.v1.AccountService/GetMe"
    for text in ("أمل", "José", "🏴", "a b"):
        message = json.dumps({"note": text}, ensure_ascii=False)
        packed = base64.urlsafe_b64encode(message.encode()).decode().rstrip("=")
        for query in ({"message": message}, {"message": packed, "base64": "1"}):
            answer = await origin.client.get(path, params={"encoding": "json", **query}, headers=origin.bearer())
            assert answer.status_code == 200, (text, query)


async def test_a_refused_watch_says_why_in_its_last_frame(origin: Origin) -> None:
    body = framed(json.dumps({"roomId": ROOM}).encode())
    cases: list[tuple[dict[str, str], str]] = [({}, "NOT_SIGNED_IN"), (origin.bearer(), "NOT_IN_ROOM")]
    for credentials, reason in cases:
        headers = {"Content-Type": "application/connect+json", **credentials}
        response = await origin.client.post(WATCH, content=body, headers=headers)
        assert response.status_code == 200
        assert response.content[0] == 2
        error: Any = json.loads(response.content[5:])["error"]
        assert error["details"][0]["debug"]["reason"] == reason


async def test_a_broken_watch_request_is_an_error_of_the_client(origin: Origin) -> None:
    for body in (b"", b"\x01\x00\x00\x00\x00", b"\x00\x00\x00\x00\x05{}", framed(b"[]"), framed(b'{"roomId":"../.."}')):
        headers = {"Content-Type": "application/connect+json", **origin.bearer()}
        response = await origin.client.post(WATCH, content=body, headers=headers)
        assert json.loads(response.content[5:])["error"]["code"] == "invalid_argument"


async def test_what_changes_nothing_may_be_asked_with_get(origin: Origin) -> None:
    path = "/majlis.auth.v1.AccountService/GetMe"
    query = {"connect": "v1", "encoding": "json", "message": "{}"}
    response = await origin.client.get(path, params=query, headers=origin.bearer())
    assert response.json()["account"]["profile"]["userId"] == "user000000000001"
    message = base64.urlsafe_b64encode(account_service_pb2.GetMeRequest().SerializeToString()).decode()
    query = {"connect": "v1", "encoding": "proto", "base64": "1", "message": message}
    response = await origin.client.get(path, params=query, headers=origin.bearer())
    assert account_service_pb2.GetMeResponse.FromString(response.content).account.profile.user_id == "user000000000001"
