"""A crowd before the gateway: whoever is sent away comes back with a slip, by every protocol."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from majlis.room_directory.v1 import room_service_pb2, room_service_pb2_grpc

from services.gateway.call import turnstile
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_connect import reason

JOIN = "/majlis.room_directory.v1.RoomService/JoinRoom"


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """So many are there that nobody has a turn; undone, all have gone."""
    monkeypatch.setattr(turnstile, "MOST_INSIDE", 0)
    monkeypatch.setattr(turnstile, "_PATIENCE_SECONDS", 0.01)
    return monkeypatch


def _info(response: httpx.Response) -> dict[str, Any]:
    details: list[dict[str, Any]] = response.json()["details"]
    found: dict[str, Any] = next(each["debug"] for each in details if each["type"] == "google.rpc.ErrorInfo")
    return found


async def test_the_owner_of_a_room_learns_since_when_somebody_has_been_coming(
    origin: Origin, crowd: pytest.MonkeyPatch
) -> None:
    asked = {"roomId": ROOM, "mayWait": True}
    response = await origin.rpc(JOIN, asked, **origin.bearer())
    assert (response.status_code, reason(response)) == (503, "CROWDED")
    assert int(response.headers["retry-after"]) >= 1
    slip = _info(response)["metadata"]["slip"]
    crowd.undo()
    await asyncio.sleep(0.05)
    for shown, least, most in ((slip, 50, 5_000), ("", 0, 40), (slip[:-3] + "AAA", 0, 40), ("x" * 3_000, 0, 40)):
        answer = await origin.rpc(JOIN, {**asked, "slip": shown}, **origin.bearer())
        assert answer.status_code == 200, answer.text
        assert least <= origin.directory.waited[-1] <= most
    await origin.rpc(JOIN, {**asked, "slip": slip}, **origin.bearer("user000000000002"))
    assert origin.directory.waited[-1] <= 40, "another person's"


async def test_a_client_cannot_say_itself_since_when_it_has_been_coming(origin: Origin) -> None:
    await origin.rpc(JOIN, {"roomId": ROOM}, **origin.bearer(), **{"X-Forwarded-Waited": "60000"})
    assert origin.directory.waited[-1] <= 1_000


async def test_native_grpc_gives_and_takes_slips_alike(origin: Origin, crowd: pytest.MonkeyPatch) -> None:
    told = (("authorization", origin.bearer()["Authorization"]),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{origin.grpc_port}") as channel:
        stub = room_service_pb2_grpc.RoomServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=ROOM), metadata=told)
        status, info = status_pb2.Status(), error_details_pb2.ErrorInfo()
        status.ParseFromString(dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"])
        assert status.details[0].Unpack(info)
        assert info.reason == "CROWDED"
        crowd.undo()
        await asyncio.sleep(0.05)
        request = room_service_pb2.JoinRoomRequest(room_id=ROOM, slip=info.metadata["slip"])
        await stub.JoinRoom(request, metadata=told)
    assert origin.directory.waited[-1] >= 50
