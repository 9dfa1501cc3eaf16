"""WHIP and WHEP as RFC 9725 and the WHEP draft have them."""

from typing import Any

import httpx
import pytest
from majlis.contract.v1.common_errors_pb2 import CommonErrorReason
from majlis.gateway.v1.gateway_errors_pb2 import GatewayErrorReason
from majlis.media_relay.v1 import media_relay_service_pb2
from majlis.media_relay.v1.media_relay_errors_pb2 import MediaRelayErrorReason
from majlis.room_directory.v1 import room_pb2
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.bus.client import Bus
from services.common.sight.metrics import Metrics
from tests.integration.gateway.conftest import RELAY, ROOM, Origin
from tests.integration.gateway.played import Refused
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings as settings_of

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
FRAGMENT = "a=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n"
RESTART = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
ANNA = "user000000000001"


def permit(origin: Origin, kind: int = room_pb2.MEDIA_KIND_AUDIENCE, room: str = ROOM, relay: str = RELAY) -> str:
    return origin.directory.sign_permit(room, ANNA, kind, relay)


async def post(
    origin: Origin, shown: str | None, path: str = f"/whep/{ROOM}", offer: str = OFFER, **headers: str
) -> httpx.Response:
    given = {"Content-Type": "application/sdp", **headers}
    if shown is not None:
        given["Authorization"] = f"Bearer {shown}"
    return await origin.client.post(path, content=offer, headers=given)


async def patch(origin: Origin, location: str, shown: str, body: str = FRAGMENT, **headers: str) -> httpx.Response:
    given = {"Content-Type": "application/trickle-ice-sdpfrag", "Authorization": f"Bearer {shown}", **headers}
    return await origin.client.patch(location, content=body, headers=given)


async def put_channel(origin: Origin, location: str, shown: str, query: str = "") -> httpx.Response:
    return await origin.client.put(f"{location}/channel{query}", headers={"Authorization": f"Bearer {shown}"})


async def test_an_offer_with_a_permit_opens_a_session(origin: Origin) -> None:
    response = await post(origin, permit(origin))
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/sdp"
    assert response.headers["location"] == f"/media/{RELAY}/session0000000000000000000"
    assert response.headers["etag"] == '"ice-1"'
    assert response.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    assert response.headers["access-control-allow-origin"] == "*"
    exposed = response.headers["access-control-expose-headers"]
    assert {"Location", "ETag", "Link", "Accept-Patch"} <= set(exposed.split(", "))
    assert "set-cookie" not in response.headers
    assert response.text.startswith("v=0")
    assert origin.relay.offers == [OFFER]


async def test_a_player_with_a_token_hears_the_language_that_its_address_names(origin: Origin) -> None:
    token = origin.mint.token()
    assert (await post(origin, token, path=f"/whep/{ROOM}?language=ar")).status_code == 201
    assert (await post(origin, token)).status_code == 201
    assert origin.directory.asked_languages == ["ar", "ar", ""]
    for wrong in ("the+floor", "Arabic", ""):
        refused = await post(origin, token, path=f"/whep/{ROOM}?language={wrong}")
        assert (refused.status_code, refused.json()["reason"]) == (400, "LANGUAGE_INVALID")


async def test_a_player_with_a_token_says_which_languages_it_understands(origin: Origin) -> None:
    token = origin.mint.token()
    assert (await post(origin, token, path=f"/whep/{ROOM}?understands=ar,en")).status_code == 201
    assert (await post(origin, token, path=f"/whep/{ROOM}?language=floor")).status_code == 201
    assert origin.directory.asked_understands[-2:] == [["ar", "en"], []]
    assert origin.directory.asked_languages[-1] == "floor"
    for wrong in ("", "ar,,en", "Arabic", "aa,ab,ac,ad,ae,af,ag"):
        refused = await post(origin, token, path=f"/whep/{ROOM}?understands={wrong}")
        assert (refused.status_code, refused.json()["reason"]) == (400, "LANGUAGE_INVALID")


async def test_a_session_hears_something_else_by_a_new_permit_and_goes_on(origin: Origin) -> None:
    shown, other = permit(origin), permit(origin)
    location = (await post(origin, shown)).headers["location"]
    changed = await put_channel(origin, location, other)
    assert (changed.status_code, changed.json()) == (200, {"channel": "ar"})
    assert origin.relay.changes == [(location.rsplit("/", 1)[1], other)]
    assert origin.directory.asked_permits == [], "a permit says itself what is heard"
    assert (await patch(origin, location, shown, **{"If-Match": '"ice-1"'})).status_code == 204
    gone = await put_channel(origin, f"/media/{RELAY}/session9999999999999999999", other)
    assert (gone.status_code, gone.json()["reason"]) == (404, "SESSION_NOT_FOUND")
    assert (await origin.client.get(f"{location}/channel")).status_code == 405


async def test_a_player_with_a_token_changes_what_its_session_hears_by_the_address(origin: Origin) -> None:
    token = origin.mint.token()
    location = (await post(origin, token)).headers["location"]
    assert (await put_channel(origin, location, token, "?language=ru")).status_code == 200
    assert (await put_channel(origin, location, token, "?understands=ar,en")).status_code == 200
    assert origin.directory.asked_languages[-2:] == ["ru", ""]
    assert origin.directory.asked_understands[-1] == ["ar", "en"]
    assert origin.directory.asked_changes[-2:] == [True, True], "no more room is needed than the session has"
    foreign = await put_channel(origin, location, origin.mint.token(user_id="user000000000002"), "?language=ru")
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "PERMIT_INVALID")


async def test_the_whole_life_of_a_session(origin: Origin) -> None:
    shown = permit(origin)
    location = (await post(origin, shown)).headers["location"]
    trickled = await patch(origin, location, shown, **{"If-Match": '"ice-1"'})
    assert (trickled.status_code, trickled.content) == (204, b"")
    restarted = await patch(origin, location, shown, RESTART, **{"If-Match": "*"})
    assert restarted.status_code == 200
    assert restarted.headers["etag"] == '"ice-2"'
    assert restarted.headers["content-type"] == "application/trickle-ice-sdpfrag"
    assert "ice-ufrag" in restarted.text
    stale = await patch(origin, location, shown, **{"If-Match": '"ice-1"'})
    assert stale.status_code == 412
    assert stale.json()["reason"] == "ETAG_MISMATCH"
    deleted = await origin.client.delete(location, headers={"Authorization": f"Bearer {shown}"})
    assert deleted.status_code == 200
    gone = await origin.client.delete(location, headers={"Authorization": f"Bearer {shown}"})
    assert gone.status_code == 404


async def test_a_patch_without_if_match_is_428(origin: Origin) -> None:
    shown = permit(origin)
    location = (await post(origin, shown)).headers["location"]
    assert (await patch(origin, location, shown)).status_code == 428


async def test_a_patch_of_another_type_is_415(origin: Origin) -> None:
    shown = permit(origin)
    location = (await post(origin, shown)).headers["location"]
    response = await patch(origin, location, shown, **{"Content-Type": "application/json", "If-Match": "*"})
    assert response.status_code == 415
    assert response.headers["accept-patch"] == "application/trickle-ice-sdpfrag"


async def test_an_offer_of_another_type_is_415(origin: Origin) -> None:
    response = await post(origin, permit(origin), **{"Content-Type": "text/plain"})
    assert response.status_code == 415
    assert response.headers["accept-post"] == "application/sdp"


async def test_without_a_bearer_token_it_is_401_even_with_cookies(origin: Origin) -> None:
    origin.directory.seat()
    headers = {"Cookie": f"majlis_access={origin.mint.token()}", "Origin": origin.origin}
    response = await post(origin, None, **headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert not origin.relay.sessions


async def test_endpoints_know_post_only(origin: Origin) -> None:
    for path in (f"/whep/{ROOM}", f"/whip/{ROOM}"):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            response = await origin.client.request(method, path)
            assert (method, response.status_code) == (method, 405)
            assert response.headers["allow"] == "POST, OPTIONS"


async def test_sessions_know_patch_and_delete_only(origin: Origin) -> None:
    for method in ("GET", "HEAD", "PUT", "POST"):
        response = await origin.client.request(method, f"/media/{RELAY}/session0000000000000000000")
        assert (method, response.status_code) == (method, 405)
        assert response.headers["allow"] == "PATCH, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("path", "methods", "header", "value"),
    [
        (f"/whep/{ROOM}", "POST, OPTIONS", "accept-post", "application/sdp"),
        (f"/whip/{ROOM}", "POST, OPTIONS", "accept-post", "application/sdp"),
        (f"/media/{RELAY}/abcdefghij", "PATCH, DELETE, OPTIONS", "accept-patch", "application/trickle-ice-sdpfrag"),
    ],
)
async def test_any_page_may_ask_what_is_allowed(
    origin: Origin, path: str, methods: str, header: str, value: str
) -> None:
    asking = {"Origin": "https://player.example", "Access-Control-Request-Method": "POST"}
    response = await origin.client.options(path, headers=asking)
    assert response.status_code == 204
    assert response.headers["access-control-allow-methods"] == methods
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in response.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers[header] == value


REFUSALS: list[tuple[Any, str, int]] = [
    ("permission_denied", "PERMIT_INVALID", 403),
    ("failed_precondition", "PERMIT_SPENT", 409),
    ("failed_precondition", "WRONG_RELAY", 409),
    ("failed_precondition", "SEAT_STALE", 409),
    ("failed_precondition", "CHANNEL_UNKNOWN", 409),
    ("invalid_argument", "OFFER_INVALID", 422),
    ("resource_exhausted", "RELAY_FULL", 503),
    ("resource_exhausted", "RELAY_BUSY", 503),
    ("unavailable", "RELAY_DRAINING", 503),
]


async def test_refusals_of_the_relay_have_their_status(origin: Origin) -> None:
    for kind, reason, status in REFUSALS:
        origin.relay.refuse = Refused(kind, reason)
        response = await post(origin, permit(origin))
        assert (reason, response.status_code) == (reason, status)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["reason"] == reason
        assert ("retry-after" in response.headers) == (status == 503)
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("told", "header"), [(16.2, "17"), (None, "2")])
async def test_a_standard_client_before_a_full_room_is_told_when_to_come_back(
    origin: Origin, told: float | None, header: str
) -> None:
    origin.directory.refuse = Refused("resource_exhausted", "ROOM_FULL", retry_after_seconds=told)
    response = await post(origin, origin.mint.token())
    assert (response.status_code, response.json()["reason"]) == (503, "ROOM_FULL")
    assert response.headers["retry-after"] == header


async def test_a_permit_opens_only_its_own_room_and_kind(origin: Origin) -> None:
    other_room = await post(origin, permit(origin, room="room000000000002"))
    other_kind = await post(origin, permit(origin), path=f"/whip/{ROOM}")
    assert (other_room.status_code, other_kind.status_code) == (403, 403)
    assert (other_room.json()["reason"], other_kind.json()["reason"]) == ("PERMIT_INVALID", "PERMIT_INVALID")
    assert not origin.relay.sessions


async def test_a_permit_of_somebody_else_changes_nothing(origin: Origin) -> None:
    location = (await post(origin, permit(origin))).headers["location"]
    stolen = await origin.client.delete(location, headers={"Authorization": f"Bearer {permit(origin)}"})
    assert stolen.status_code == 403
    signed_in = {"Authorization": f"Bearer {origin.mint.token('user000000000002')}"}
    assert (await origin.client.delete(location, headers=signed_in)).status_code == 403
    assert len(origin.relay.sessions) == 1


async def test_a_standard_client_comes_with_an_access_token_and_is_seated(origin: Origin) -> None:
    token = origin.mint.token()
    response = await post(origin, token)
    assert response.status_code == 201
    assert origin.directory.joined == [ANNA]
    location = response.headers["location"]
    trickled = await patch(origin, location, token, **{"If-Match": '"ice-1"'})
    assert trickled.status_code == 204
    other = origin.mint.token("user000000000002")
    stolen = await origin.client.delete(location, headers={"Authorization": f"Bearer {other}"})
    assert (stolen.status_code, stolen.json()["reason"]) == (403, "PERMIT_INVALID")
    assert (await patch(origin, location, other, **{"If-Match": '"ice-1"'})).status_code == 403
    forged = await origin.client.delete(location, headers={"Authorization": "Bearer not.a.token"})
    assert forged.status_code == 401
    assert len(origin.relay.sessions) == 1
    fresh = origin.mint.token()
    assert (await origin.client.delete(location, headers={"Authorization": f"Bearer {fresh}"})).status_code == 200


async def test_a_personal_token_works_for_obs_and_needs_the_stage(origin: Origin) -> None:
    refused = await post(origin, "mjp_good_and_long_enough", path=f"/whip/{ROOM}")
    assert refused.status_code == 403
    assert refused.json()["reason"] == "NOT_ON_STAGE"
    origin.directory.stage = True
    response = await post(origin, "mjp_good_and_long_enough", path=f"/whip/{ROOM}")
    assert response.status_code == 201


async def test_a_token_without_the_scope_cannot_speak(origin: Origin) -> None:
    origin.directory.stage = True
    response = await post(origin, origin.mint.token(scopes=("listen",)), path=f"/whip/{ROOM}")
    assert response.status_code == 403
    assert response.json()["reason"] == "SCOPE_MISSING"


async def test_every_refusal_carries_a_reason(origin: Origin) -> None:
    shown = permit(origin)
    location = (await post(origin, shown)).headers["location"]
    refusals = [
        await post(origin, permit(origin), **{"Content-Type": "text/plain"}),
        await post(origin, permit(origin), offer="v=0"),
        await post(origin, None),
        await post(origin, permit(origin), path="/whep/nowhere"),
        await patch(origin, location, shown),
        await patch(origin, location, shown, **{"If-Match": "x" * 200}),
        await patch(origin, location, shown, **{"If-Match": '"other"'}),
        await patch(origin, location, shown, **{"If-Match": "*", "Content-Type": "text/plain"}),
        await origin.client.delete("/media/x/y"),
        *[await origin.client.get(path) for path in (f"/whep/{ROOM}", f"/whip/{ROOM}", location, "/media/x")],
    ]
    reasons = set(GatewayErrorReason.keys()) | set(CommonErrorReason.keys()) | set(MediaRelayErrorReason.keys())
    reasons |= set(RoomDirectoryErrorReason.keys())
    known = {name.partition("_ERROR_REASON_")[2] for name in reasons}
    for each in refusals:
        assert each.status_code >= 400
        assert each.headers["content-type"] == "application/problem+json"
        assert each.json()["reason"] in known, each.text
        assert each.json()["title"]


async def test_an_unknown_session_is_404(origin: Origin) -> None:
    for path in (
        f"/media/{RELAY}/nosuchsession",
        "/media/nosuchrelay1/session0000000000000000000",
        "/media/x/y",
        f"/media/{RELAY}/session0000000000000000000/a/b",
    ):
        response = await origin.client.delete(path, headers={"Authorization": f"Bearer {permit(origin)}"})
        assert (path, response.status_code) == (path, 404)


async def test_an_offer_that_is_too_large_is_413(origin: Origin) -> None:
    response = await post(origin, permit(origin), offer="v=0\r\n" + "a=x\r\n" * 20_000)
    assert response.status_code == 413


async def test_a_relay_known_only_by_its_heartbeat_is_reached_without_the_directory(
    origin: Origin, nats_server: NatsServer, tmp_path: Any
) -> None:
    address = origin.directory.relays.pop(RELAY)
    bus = Bus(settings_of(tmp_path, nats_url=nats_server.url), Metrics("media_relay"))
    await bus.connect()
    relay_id = "relay00000000002"
    await bus.publish(media_relay_service_pb2.RelayLoad(relay_id=relay_id, boot_id="b", grpc_address=address))
    await eventually(lambda: origin.gateway.relay_table.find(relay_id) is not None)
    response = await post(origin, permit(origin, relay=relay_id))
    assert response.status_code == 201
    nats_server.stop()
    assert (await post(origin, permit(origin, relay=relay_id))).status_code == 201
    await bus.close()


async def test_a_relay_that_came_back_elsewhere_is_found_through_the_directory(origin: Origin) -> None:
    from services.gateway.domain.relays import Relay

    origin.gateway.relay_table.note(Relay(RELAY, "old", "127.0.0.1:1"))
    response = await post(origin, permit(origin))
    assert response.status_code == 201
