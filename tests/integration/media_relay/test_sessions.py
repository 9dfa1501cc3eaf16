"""Sessions over gRPC and UDP: opened once, restarted, reaped, reported and listed."""

import asyncio
import re

import pytest
from aiortc import RTCSessionDescription
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.room_directory.v1 import room_pb2

from services.common.rpc.client import RemoteError
from tests.support.relay_fakes import offer
from tests.support.relay_fleet import ROOM, USER, Fleet, Seated
from tests.support.rtc_client import client
from tests.support.stun_client import checker

FRAGMENT = "a=ice-ufrag:fresh\r\na=ice-pwd:0123456789abcdef0123456\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"


def ice_of(sdp: str) -> tuple[str, str]:
    ufrag, pwd = re.search(r"a=ice-ufrag:(\S+)", sdp), re.search(r"a=ice-pwd:(\S+)", sdp)
    assert ufrag
    assert pwd
    return ufrag[1], pwd[1]


async def reason_of(call: object) -> str:
    with pytest.raises(RemoteError) as refused:
        await call  # type: ignore[misc]
    return refused.value.reason


async def restart(fleet: Fleet, seated: Seated, if_match: str = "*") -> pb.PatchSessionResponse:
    request = pb.PatchSessionRequest(
        session_id=seated.session_id, permit=seated.permit, if_match=if_match, fragment=FRAGMENT
    )
    return await fleet.gateway(fleet.relays[0]).PatchSession(request)


async def test_a_permit_opens_one_session_only_and_only_here(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    gateway, permit = fleet.gateway(relay), fleet.directory.permit(relay)
    request = pb.CreateSessionRequest(permit=permit, offer_sdp=offer("chromium_listener"))
    opened = await gateway.CreateSession(request)
    assert re.fullmatch(r"[a-z2-7]{26}", opened.session_id)
    assert await reason_of(gateway.CreateSession(request)) == "PERMIT_SPENT"
    for changes, reason in (
        ({"relay": "relay99999"}, "WRONG_RELAY"),
        ({"boot": "bootof1999"}, "WRONG_RELAY"),
        ({"aud": "another"}, "PERMIT_INVALID"),
        ({"iss": "auth"}, "PERMIT_INVALID"),
        ({"exp": 1_700_000_000}, "PERMIT_INVALID"),
    ):
        other = fleet.directory.permit(relay, **changes)
        call = gateway.CreateSession(pb.CreateSessionRequest(permit=other, offer_sdp=offer("pion_listener")))
        assert await reason_of(call) == reason, changes


async def test_an_access_token_is_no_permit(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    token = fleet.directory.keys.sign({"iss": "room_directory", "aud": "majlis", "sub": USER}, "at+jwt")
    call = fleet.gateway(relay).CreateSession(pb.CreateSessionRequest(permit=token, offer_sdp=offer("pion_listener")))
    assert await reason_of(call) == "PERMIT_INVALID"


async def test_an_ice_restart_keeps_the_old_pair_until_a_new_one_is_nominated(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002")
    listener = await fleet.listen(relay)
    remote = listener.client.pc.remoteDescription
    old = ice_of(remote.sdp)
    patched = await restart(fleet, listener)
    new = ice_of(patched.fragment)
    assert new != old
    assert patched.etag not in {"", listener.etag}
    with checker(relay.addresses.udp[0]) as here:
        assert await here.check(*old), "the old credentials still work"
        assert await here.check(*new)
        assert await here.media_packets(0.3) == 0, "a check alone moves no media"
        # Media move at most once a second, and the listener has just been nominated.
        await asyncio.sleep(1.0)
        assert await here.check(*new, nominate=True)
        assert await here.media_packets(1.0) > 30, "media follow the nomination"
        assert not await here.check(*old), "the old credentials are over"


async def test_a_wrong_tag_restarts_nothing(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    assert await reason_of(restart(fleet, listener, '"stale"')) == "ETAG_MISMATCH"
    await restart(fleet, listener, listener.etag)


async def test_a_deleted_session_is_gone_from_the_port_and_reported(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    credentials = ice_of(listener.client.pc.remoteDescription.sdp)
    request = pb.DeleteSessionRequest(session_id=listener.session_id, permit=listener.permit)
    await fleet.gateway(relay).DeleteSession(request)
    with checker(relay.addresses.udp[0]) as here:
        assert not await here.check(*credentials)
    assert fleet.directory.told(listener.session_id) == ["opened", "connected", "ended: deleted"]
    assert await reason_of(fleet.gateway(relay).DeleteSession(request)) == "SESSION_NOT_FOUND"


async def test_a_session_that_never_connects_ends_within_ten_seconds(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    permit = fleet.directory.permit(relay)
    opened = await fleet.gateway(relay).CreateSession(
        pb.CreateSessionRequest(permit=permit, offer_sdp=offer("safari_listener"))
    )
    await asyncio.sleep(10.8)
    assert fleet.directory.told(opened.session_id) == ["opened", "ended: expired"]
    assert relay.core.counters().get("sessions_now", 0) == 0


async def test_a_certificate_other_than_the_offered_one_gets_no_keys(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    async with client() as made:
        offered = await made.offer()
        text = re.sub(r"(a=fingerprint:sha-\d+ )(..)", lambda m: m[1] + ("00" if m[2] != "00" else "11"), offered)
        permit = fleet.directory.permit(relay)
        opened = await fleet.gateway(relay).CreateSession(pb.CreateSessionRequest(permit=permit, offer_sdp=text))
        await made.pc.setRemoteDescription(RTCSessionDescription(opened.answer_sdp, "answer"))
        for _ in range(100):
            if len(fleet.directory.told(opened.session_id)) == 2:
                break
            await asyncio.sleep(0.05)
    assert fleet.directory.told(opened.session_id) == ["opened", "ended: failed"]


async def test_a_client_that_closes_its_connection_soon_is_known_to_be_gone(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    await listener.client.pc.close()
    await asyncio.sleep(0.4)
    assert fleet.directory.told(listener.session_id)[-1] == "ended: deleted"


async def test_sessions_are_listed_with_the_claims_of_their_permits(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay, epoch=7, term=3)
    pages = [page async for page in fleet.owner(relay).ListSessions(pb.ListSessionsRequest())]
    assert [page.boot_id for page in pages] == [relay.relay.boot_id]
    (info,) = pages[0].sessions
    assert (info.session_id, info.room_id, info.user_id) == (listener.session_id, ROOM, USER)
    assert (info.epoch, info.term, info.connected) == (7, 3, True)
    assert (info.kind, info.role) == (room_pb2.MEDIA_KIND_AUDIENCE, room_pb2.ROLE_LISTENER)


async def test_a_relay_without_sessions_still_says_which_start_it_is(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    pages = [page async for page in fleet.owner(relay).ListSessions(pb.ListSessionsRequest())]
    assert [(page.boot_id, len(page.sessions)) for page in pages] == [(relay.relay.boot_id, 0)]


async def test_the_load_names_budget_and_rooms(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.listen(relay)
    load = (await fleet.gateway(relay).GetLoad(pb.GetLoadRequest())).load
    assert (load.relay_id, load.boot_id) == (relay.relay.relay_id, relay.relay.boot_id)
    assert load.grpc_address == f"127.0.0.1:{relay.server.port}"
    assert (load.promised.sending, load.packets_per_second_budget, load.limits.usual, load.sessions) == (
        50,
        100_000,
        100_000,
        1,
    )
    assert load.costs.packet > 0
    assert load.packets_per_second >= load.promised.usual > 50, "the room's programme is counted too"
    assert [(room.room_id, room.listeners, room.stage) for room in load.rooms] == [(ROOM, 1, 0)]


async def test_only_the_gateway_opens_sessions_and_only_the_directory_changes_seats(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    permit = fleet.directory.permit(relay)
    opening = pb.CreateSessionRequest(permit=permit, offer_sdp=offer("pion_listener"))
    assert await reason_of(fleet.owner(relay).CreateSession(opening)) == "CALLER_NOT_ALLOWED"
    changing = fleet.gateway(relay).ApplySeatChanges(pb.ApplySeatChangesRequest())
    assert await reason_of(changing) == "CALLER_NOT_ALLOWED"


async def test_metrics_tell_of_sessions_joins_and_packets(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.listen(relay)
    await relay.watch.sample()
    from prometheus_client import generate_latest

    text = generate_latest(relay.metrics.registry).decode()
    assert 'majlis_media_relay_sessions{kind="audience",state="connected"} 1.0' in text
    assert 'majlis_media_relay_joins_total{result="OK"} 1.0' in text
    assert 'majlis_media_relay_connect_seconds_count{kind="audience"} 1.0' in text
    assert "majlis_media_relay_core_packets_in_total" in text
