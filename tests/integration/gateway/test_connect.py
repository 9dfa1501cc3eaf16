"""The public API over HTTP: forwarding, cookies, origins and refusals."""

import asyncio
import base64
import socket
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from majlis.auth.v1 import account_service_pb2

from tests.integration.gateway.conftest import Origin, all_parts, gateway_over
from tests.integration.gateway.played import Refused
from tests.support.auth_contract import AUTH
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint, serving

SIGN_IN, ACCOUNT = "/majlis.auth.v1.SignInService", "/majlis.auth.v1.AccountService"
CODE = {"challengeId": "challenge0000001", "code": "123456"}


def cookies_of(response: httpx.Response) -> dict[str, str]:
    """Set-Cookie headers by the cookie's name."""
    return {line.partition("=")[0]: line for line in response.headers.get_list("set-cookie")}


def reason(response: httpx.Response) -> str:
    """The ErrorInfo reason of a Connect error."""
    details: list[dict[str, Any]] = response.json()["details"]
    found: str = next(each["debug"]["reason"] for each in details if each["type"] == "google.rpc.ErrorInfo")
    return found


async def test_a_signed_in_person_reads_their_account_as_json(origin: Origin) -> None:
    response = await origin.rpc(f"{ACCOUNT}/GetMe", **origin.bearer())
    assert response.status_code == 200
    assert response.json() == {"account": {"profile": {"userId": "user000000000001", "displayName": "Аня 🌙"}}}
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_owner_learns_the_network_and_device_but_not_the_address(origin: Origin) -> None:
    await origin.rpc(f"{SIGN_IN}/FinishEmailSignIn", CODE, **{"User-Agent": "Phone/1 (x)"})
    assert origin.auth.callers[-1].network == "127.0.0.0/24"
    assert origin.auth.metadata["x-forwarded-user-agent"].startswith("Phone/1 (x)")
    assert "127.0.0.1" not in origin.auth.metadata.values()


async def test_a_client_cannot_claim_another_network(origin: Origin) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Network": "203.0.113.0/24"}
    await origin.rpc(f"{SIGN_IN}/FinishEmailSignIn", CODE, **forged)
    assert origin.auth.callers[-1].network == "127.0.0.0/24"


async def test_protobuf_bodies_are_forwarded_as_they_are(origin: Origin) -> None:
    headers = {"Content-Type": "application/proto", **origin.bearer()}
    response = await origin.client.post(f"{ACCOUNT}/GetMe", content=b"", headers=headers)
    message = account_service_pb2.GetMeResponse.FromString(response.content)
    assert message.account.profile.user_id == "user000000000001"


@pytest.mark.parametrize("text", [False, True])
async def test_grpc_web_clients_are_answered_in_frames(origin: Origin, text: bool) -> None:
    body = struct.pack(">BI", 0, 0)
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    headers = {"Content-Type": kind, **origin.bearer()}
    response = await origin.client.post(
        f"{ACCOUNT}/GetMe", content=base64.b64encode(body) if text else body, headers=headers
    )
    content = base64.b64decode(response.content) if text else response.content
    length = struct.unpack(">I", content[1:5])[0]
    message = account_service_pb2.GetMeResponse.FromString(content[5 : 5 + length])
    assert message.account.profile.user_id == "user000000000001"
    assert content[5 + length] == 0x80
    assert b"grpc-status: 0" in content[5 + length :]


async def test_without_a_token_the_answer_is_401_with_a_reason(origin: Origin) -> None:
    response = await origin.rpc(f"{ACCOUNT}/GetMe")
    assert response.status_code == 401
    assert response.json()["code"] == "unauthenticated"
    assert reason(response) == "NOT_SIGNED_IN"


async def test_refusals_keep_code_reason_metadata_and_waiting_time(origin: Origin) -> None:
    origin.auth.refuse = Refused("already_exists", "HANDLE_TAKEN", metadata={"handle": "anna"}, retry_after_seconds=2.2)
    response = await origin.rpc(f"{ACCOUNT}/UpdateProfile", {"handle": "anna"}, **origin.bearer())
    assert response.status_code == 409
    body = response.json()
    assert body["code"] == "already_exists"
    info = body["details"][0]
    assert info["type"] == "google.rpc.ErrorInfo"
    assert info["debug"] == {"reason": "HANDLE_TAKEN", "domain": "majlis", "metadata": {"handle": "anna"}}
    assert "=" not in info["value"]
    assert response.headers["retry-after"] == "3"


async def test_a_broken_field_is_named(origin: Origin) -> None:
    response = await origin.rpc(f"{SIGN_IN}/FinishEmailSignIn", {"challengeId": "challenge0000001", "code": "12"})
    assert response.status_code == 400
    bad = next(each for each in response.json()["details"] if each["type"] == "google.rpc.BadRequest")
    assert bad["debug"]["fieldViolations"][0]["field"] == "code"


async def test_what_is_for_services_looks_as_if_it_did_not_exist(origin: Origin) -> None:
    for path in (
        "/majlis.room_directory.v1.FleetService/GetSnapshot",
        "/majlis.media_relay.v1.MediaRelayService/CreateSession",
        "/majlis.auth.v1.IdentityService/ListFacts",
        "/majlis.auth.v1.AccountService/NoSuchRpc",
        "/majlis.auth.v1.AccountService",
    ):
        response = await origin.rpc(path, **origin.bearer(operator=True))
        assert (path, response.status_code) == (path, 404)
        assert response.json()["code"] == "unimplemented"
        assert reason(response) == "NOT_OFFERED"


async def test_sdks_get_their_tokens_in_the_body_and_no_cookies(origin: Origin) -> None:
    response = await origin.rpc(f"{SIGN_IN}/FinishEmailSignIn", CODE)
    assert response.json()["tokens"]["refreshToken"] == "refresh-token-1"
    assert not cookies_of(response)


async def test_browsers_get_their_tokens_in_cookies_and_not_in_the_body(origin: Origin) -> None:
    headers = {"X-Majlis-Client": "web", "Origin": origin.origin}
    response = await origin.rpc(f"{SIGN_IN}/FinishEmailSignIn", CODE, **headers)
    assert "accessToken" not in response.json()["tokens"]
    assert "refreshToken" not in response.json()["tokens"]
    assert response.json()["tokens"]["accessExpiresAt"]
    cookies = cookies_of(response)
    assert set(cookies) == {"majlis_access", "majlis_refresh"}
    assert "Path=/;" in cookies["majlis_access"]
    assert f"Path={SIGN_IN}/RefreshSession;" in cookies["majlis_refresh"]
    assert all("HttpOnly" in each and "SameSite=Lax" in each for each in cookies.values())


async def test_cookies_sign_a_browser_in(origin: Origin) -> None:
    headers = {"Cookie": f"majlis_access={origin.mint.token()}", "Origin": origin.origin}
    response = await origin.rpc(f"{ACCOUNT}/GetMe", **headers)
    assert response.status_code == 200


async def test_another_sites_page_cannot_use_the_cookies(origin: Origin) -> None:
    cookie = {"Cookie": f"majlis_access={origin.mint.token()}"}
    for other in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}):
        response = await origin.rpc(f"{ACCOUNT}/GetMe", **cookie, **other)
        assert (other, response.status_code) == (other, 403)
        assert reason(response) == "ORIGIN_REFUSED"
    assert not origin.auth.callers


async def test_a_bearer_request_takes_no_cookies(origin: Origin) -> None:
    headers = {"Cookie": f"majlis_access={origin.mint.token('userother0000001')}", **origin.bearer()}
    response = await origin.rpc(f"{ACCOUNT}/GetMe", **headers)
    assert response.json()["account"]["profile"]["userId"] == "user000000000001"


async def test_the_refresh_token_comes_from_the_cookie_and_goes_back_into_it(origin: Origin) -> None:
    headers = {"Cookie": "majlis_refresh=refresh-token-0", "Origin": origin.origin}
    response = await origin.rpc(f"{SIGN_IN}/RefreshSession", **headers)
    assert origin.auth.refreshed_with == ["refresh-token-0"]
    assert "majlis_refresh=refresh-token-1" in cookies_of(response)["majlis_refresh"]
    assert "refreshToken" not in response.json()["tokens"]


async def test_a_refresh_token_that_is_refused_leaves_the_browser(origin: Origin) -> None:
    origin.auth.refuse = Refused("unauthenticated", "SESSION_ENDED")
    headers = {"Cookie": "majlis_refresh=refresh-token-0", "Origin": origin.origin}
    response = await origin.rpc(f"{SIGN_IN}/RefreshSession", **headers)
    assert response.status_code == 401
    assert all("Max-Age=0" in each for each in cookies_of(response).values())
    assert len(cookies_of(response)) == 2


async def test_signing_out_empties_the_cookies(origin: Origin) -> None:
    headers = {"Cookie": f"majlis_access={origin.mint.token()}", "Origin": origin.origin}
    response = await origin.rpc(f"{SIGN_IN}/SignOut", **headers)
    cookies = cookies_of(response)
    assert set(cookies) == {"majlis_access", "majlis_refresh"}
    assert all("Max-Age=0" in each for each in cookies.values())


async def test_a_personal_token_is_traded_once_and_remembered(origin: Origin) -> None:
    for _ in range(3):
        response = await origin.rpc(f"{ACCOUNT}/GetMe", Authorization="Bearer mjp_good_and_long_enough")
        assert response.json()["account"]["profile"]["userId"] == "userbot000000001"
    assert len(origin.auth.exchanged) == 1


async def test_a_bad_personal_token_is_refused_with_auths_reason(origin: Origin) -> None:
    response = await origin.rpc(f"{ACCOUNT}/GetMe", Authorization="Bearer mjp_bad_and_long_enough_too")
    assert response.status_code == 401
    assert reason(response) == "TOKEN_INVALID"


async def test_a_large_body_is_refused_before_it_is_forwarded(origin: Origin) -> None:
    response = await origin.rpc(f"{ACCOUNT}/UpdateProfile", {"bio": "x" * 300_000}, **origin.bearer())
    assert response.status_code == 429
    assert reason(response) == "TOO_LARGE"


async def test_a_part_that_is_down_is_told_as_unavailable(tmp_path: Path, nats_server: NatsServer) -> None:
    mint = TokenMint()
    async with (
        all_parts(mint) as played,
        gateway_over(played, mint, nats_server.url, tmp_path, invite_address="127.0.0.1:1") as origin,
    ):
        response = await origin.rpc("/majlis.invite.v1.InviteService/ListInvitations", **origin.bearer())
        assert response.status_code == 503
        assert reason(response) == "PART_UNAVAILABLE"
        assert response.headers["retry-after"] == "1"
        assert "127.0.0.1" not in response.text


async def test_a_change_asked_for_while_its_owner_restarts_is_made_once_it_is_back(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    mint = TokenMint()
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    async with (
        all_parts(mint) as played,
        gateway_over(played, mint, nats_server.url, tmp_path, auth_address=address) as origin,
    ):
        asked = asyncio.ensure_future(origin.rpc(f"{ACCOUNT}/UpdateProfile", **origin.bearer()))
        await asyncio.sleep(0.5)
        assert not asked.done()
        servicer = played["auth"]
        (add, service), *more = AUTH
        async with serving(servicer, add, service, mint=mint, address=address, more=more):
            assert (await asked).status_code == 200


async def test_the_deployment_describes_itself(origin: Origin) -> None:
    response = await origin.rpc("/majlis.gateway.v1.ServerService/GetServerInfo")
    assert response.json()["url"] == "http://localhost:8080"
    info = (await origin.client.get("/.well-known/majlis.json")).json()
    assert info["grpc"] == f"localhost:{origin.grpc_port}"
    assert info["version"]


async def test_an_rpc_is_a_post(origin: Origin) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = await origin.client.request(method, f"{ACCOUNT}/UpdateProfile")
        assert (method, response.status_code) == (method, 405)
        assert response.headers["allow"] == "POST"


async def test_an_unknown_encoding_is_told_what_is_known(origin: Origin) -> None:
    response = await origin.client.post(f"{ACCOUNT}/GetMe", content=b"<a/>", headers={"Content-Type": "text/xml"})
    assert response.status_code == 415
    assert "application/json" in response.headers["accept-post"]
    assert response.json()["details"][0]["debug"]["reason"] == "MEDIA_TYPE_UNSUPPORTED"
