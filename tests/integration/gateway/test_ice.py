"""ICE servers reach those who may open a session, in permits and in Link headers, and nobody else."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc import aio
from majlis.room_directory.v1 import room_service_pb2, room_service_pb2_grpc

from services.common.settings import SettingsError, load
from services.gateway.domain.ice import turn_credentials
from services.gateway.settings import Settings
from tests.integration.gateway.conftest import ROOM, Origin, all_parts, gateway_over
from tests.integration.gateway.test_media import permit, post
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint

SECRET = "a secret of the turn server"
STUN = "stun:turn.hall.example:3478"
TURN = ("turn:turn.hall.example:3478?transport=tcp", "turns:turn.hall.example:443")
JOIN = "/majlis.room_directory.v1.RoomService/JoinRoom"
GET_PERMIT = "/majlis.room_directory.v1.RoomService/GetMediaPermit"
LIST_ROOMS = "/majlis.room_directory.v1.RoomService/ListRooms"


@asynccontextmanager
async def gateway_with(nats_server: NatsServer, folder: Path, **changes: Any) -> AsyncIterator[Origin]:
    secret = folder / "turn-secret"
    secret.write_text(f"{SECRET}\n")
    settings = {"ice_servers": (STUN, *TURN), "turn_secret_file": secret, "turn_credential_hours": 2.0, **changes}
    mint = TokenMint()
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, folder, **settings) as running:
        yield running


@pytest.fixture
async def turn_hall(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Origin]:
    """A gateway that was told of a TURN server."""
    async with gateway_with(nats_server, tmp_path) as running:
        yield running


async def options(origin: Origin, path: str, shown: str | None = None) -> httpx.Response:
    headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
    return await origin.client.options(path, headers=headers)


def links(response: httpx.Response) -> list[str]:
    return response.headers.get_list("link")


def username_in(link: str) -> str:
    return link.partition('username="')[2].partition('"')[0]


def assert_believed(username: str, credential: str) -> None:
    """The TURN server would take them, for two hours, and they name nobody."""
    expires, _, random_id = username.partition(":")
    assert abs(int(expires) - time.time() - 7200) < 60
    assert "user" not in random_id
    made = turn_credentials(SECRET, datetime.fromtimestamp(int(expires), UTC), random_id)
    assert (username, credential) == made


async def test_an_opened_session_names_the_servers_with_credentials(turn_hall: Origin) -> None:
    response = await post(turn_hall, permit(turn_hall))
    assert response.status_code == 201
    username = username_in(links(response)[-1])
    credential = links(response)[-1].partition('credential="')[2].partition('"')[0]
    assert_believed(username, credential)
    told = f'username="{username}"; credential="{credential}"; credential-type="password"'
    assert links(response) == [
        f'<{STUN}>; rel="ice-server"',
        *(f'<{url}>; rel="ice-server"; {told}' for url in TURN),
    ]
    assert "Link" in response.headers["access-control-expose-headers"]
    assert response.headers["cache-control"] == "no-store"
    assert username_in(links(await post(turn_hall, permit(turn_hall)))[-1]) != username


async def test_a_refused_offer_tells_nothing(turn_hall: Origin) -> None:
    for shown in (None, "nonsense", permit(turn_hall, room="room000000000002")):
        response = await post(turn_hall, shown)
        assert response.status_code in (401, 403)
        assert not links(response)


async def test_options_tell_a_member_and_no_stranger(turn_hall: Origin) -> None:
    for path in (f"/whep/{ROOM}", f"/whip/{ROOM}"):
        for token in (turn_hall.mint.token(), "mjp_good_and_long_enough"):
            member = await options(turn_hall, path, token)
            assert (member.status_code, len(links(member))) == (204, 3)
            assert all('credential-type="password"' in link for link in links(member)[1:])
            assert member.headers["cache-control"] == "no-store"
        stranger = await options(turn_hall, path)
        assert (stranger.status_code, links(stranger)) == (204, [])
        forged = await options(turn_hall, path, "nonsense")
        assert (forged.status_code, links(forged)) == (401, [])


async def test_options_refuse_a_token_for_listening_only_at_the_stage(turn_hall: Origin) -> None:
    token = turn_hall.mint.token(scopes=("listen",))
    refused = await options(turn_hall, f"/whip/{ROOM}", token)
    assert (refused.status_code, refused.json()["reason"], links(refused)) == (403, "SCOPE_MISSING", [])
    assert len(links(await options(turn_hall, f"/whep/{ROOM}", token))) == 3


async def test_options_tell_nothing_to_a_permit_that_only_its_relay_can_check(turn_hall: Origin) -> None:
    response = await options(turn_hall, f"/whep/{ROOM}", permit(turn_hall))
    assert (response.status_code, links(response)) == (204, [])


async def test_a_permit_brings_the_servers_with_it_over_http(turn_hall: Origin) -> None:
    for path in (JOIN, GET_PERMIT):
        body = {"roomId": ROOM, "kind": "MEDIA_KIND_AUDIENCE"} if path == GET_PERMIT else {"roomId": ROOM}
        response = await turn_hall.rpc(path, body, **turn_hall.bearer())
        assert response.status_code == 200
        stun, turn = response.json()["permit"]["iceServers"]
        assert stun == {"urls": [STUN]}
        assert turn["urls"] == list(TURN)
        assert_believed(turn["username"], turn["credential"])
    assert (await turn_hall.rpc(LIST_ROOMS, {}, **turn_hall.bearer())).json()["rooms"]


async def test_a_permit_brings_the_servers_with_it_over_grpc(turn_hall: Origin) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{turn_hall.grpc_port}") as channel:
        stub = room_service_pb2_grpc.RoomServiceStub(channel)
        metadata = (("authorization", f"Bearer {turn_hall.mint.token()}"),)
        answer = await stub.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=ROOM), metadata=metadata)
    assert answer.snapshot.room.room_id == ROOM
    assert [list(server.urls) for server in answer.permit.ice_servers] == [[STUN], list(TURN)]
    assert_believed(answer.permit.ice_servers[1].username, answer.permit.ice_servers[1].credential)


async def test_an_answer_without_a_permit_gets_none(turn_hall: Origin) -> None:
    response = await turn_hall.rpc(JOIN, {"roomId": ROOM, "withoutPermit": True}, **turn_hall.bearer())
    assert response.status_code == 200
    assert "permit" not in response.json()


async def test_a_deployment_without_turn_tells_of_none(origin: Origin) -> None:
    assert not links(await post(origin, permit(origin)))
    assert not links(await options(origin, f"/whep/{ROOM}", origin.mint.token()))
    joined = await origin.rpc(JOIN, {"roomId": ROOM}, **origin.bearer())
    assert "iceServers" not in joined.json()["permit"]


async def test_a_server_that_browsers_would_refuse_keeps_the_gateway_from_starting(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    for wrong in ({"turn_secret_file": None}, {"ice_servers": ("turn.hall.example",)}):
        with pytest.raises(SettingsError, match="GATEWAY_ICE_SERVERS"):
            async with gateway_with(nats_server, tmp_path, **wrong):
                pass
    secret = {"GATEWAY_SERVICE_SECRET_FILE": str(tmp_path / "secret")}
    with pytest.raises(SettingsError, match="GATEWAY_TURN_CREDENTIAL_HOURS"):
        load(Settings, "gateway", {**secret, "GATEWAY_TURN_CREDENTIAL_HOURS": "0"})
