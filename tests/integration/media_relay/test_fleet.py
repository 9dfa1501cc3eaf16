"""Several relays, and parts that are away: sound goes on, and what was missed is told later."""

import asyncio

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad
from majlis.programme.v1.programme_pb2 import Frame

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.rpc.client import RemoteError
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from services.programme.channels import Channel
from services.programme.wishes import Consumer, Wishes
from tests.support.fake_bus import eventually
from tests.support.hearing import hear, until_heard
from tests.support.nats_server import NatsServer
from tests.support.relay_fakes import offer
from tests.support.relay_fleet import ROOM, Fleet, room_part
from tests.support.voices import mostly_at, power_at, rms

OTHER = "user000002"


async def test_a_listener_on_another_relay_hears_the_programme_over_the_bus(fleet: Fleet) -> None:
    home, far = await fleet.add_relay(), await fleet.add_relay()
    await fleet.speak(home, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(far, home=home.relay.relay_id)
    await until_heard(listener.client.ear, 440.0)
    assert power_at(await hear(listener.client.ear), 440.0) > 0.9


async def test_a_programme_leaves_its_relay_only_while_another_one_wants_it(fleet: Fleet) -> None:
    home, far = await fleet.add_relay(), await fleet.add_relay()
    await fleet.speak(home, 440.0, slots=0, sub=OTHER)
    await fleet.listen(home, sub="user000003")
    await asyncio.sleep(1.5)
    assert _frames(home, "out") == 0
    listener = await fleet.listen(far, home=home.relay.relay_id)
    await until_heard(listener.client.ear, 440.0)
    assert _frames(home, "out") > 0
    assert _frames(far, "in") > 0


async def test_a_consumer_that_is_no_relay_gets_a_programme_by_wishing_for_it(
    fleet: Fleet, nats_server: NatsServer
) -> None:
    home = await fleet.add_relay()
    await fleet.speak(home, 440.0, slots=0, sub=OTHER)
    settings, frames = (
        ServiceSettings(service_secret_file=fleet.folder / "service-secret", nats_url=nats_server.url),
        [],
    )
    bus = Bus(settings, Metrics("listening"))
    await bus.connect()
    await bus.subscribe_bytes(Frame, lambda _, frame: frames.append(frame), room_id=ROOM, channel="floor")
    wishes = Wishes(bus, Consumer.ARCHIVE, "archive0001", SystemClock())
    wishes.want(Channel(ROOM, "floor"))
    await wishes.tell()
    await eventually(lambda: len(frames) > 10)
    await wishes.give_up()
    await eventually(lambda: not home.core.dump().count('"export":true'))
    told = len(frames)
    await asyncio.sleep(0.3)
    assert len(frames) <= told + 2, "what nobody wants is not sent"
    await bus.close()


async def test_an_interpreter_is_heard_by_those_who_chose_the_language_and_never_on_the_floor(fleet: Fleet) -> None:
    home, far = await fleet.add_relay(), await fleet.add_relay()
    booth = room_parts_pb2.BoothPart(language="ar", active_member=78, floor_level_db=-100)
    part, names = room_part(home.relay.relay_id, booth), {"home": home.relay.relay_id}
    for relay in (home, far):
        await fleet.owner(relay).ConfigureRooms(pb.ConfigureRoomsRequest(parts=[part]))
    speaker = await fleet.speak(home, 440.0, sub=OTHER)
    await fleet.speak(home, 700.0, slots=0, sub="user000003", member=78, role="interpreter", booth="ar")
    arabic = {"channel": "ar", "channel_kind": "language"}
    on_floor = [await fleet.listen(relay, sub=f"user00001{at}", **names) for at, relay in enumerate((home, far))]
    in_arabic = [
        await fleet.listen(relay, sub=f"user00002{at}", **names, **arabic) for at, relay in enumerate((home, far))
    ]
    for listeners, heard, kept_out in ((on_floor, 440.0, 700.0), (in_arabic, 700.0, 440.0)):
        for listener in listeners:
            await until_heard(listener.client.ear, heard)
            sound = await hear(listener.client.ear)
            assert mostly_at(sound, heard) > 0.9
            assert mostly_at(sound, kept_out) < 0.01
    assert rms(await hear(speaker.client.ear, 0.5)) < 0.005, "nobody on stage hears the booth"


async def test_listeners_stay_connected_when_the_stage_moves_to_their_relay(fleet: Fleet) -> None:
    old, new = await fleet.add_relay(), await fleet.add_relay()
    first = await fleet.speak(old, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(new, home=old.relay.relay_id)
    await until_heard(listener.client.ear, 440.0)
    part = room_part(new.relay.relay_id)
    for relay in (old, new):
        await fleet.owner(relay).ConfigureRooms(pb.ConfigureRoomsRequest(parts=[part]))
    await asyncio.sleep(0.3)
    assert fleet.directory.told(first.session_id)[-1] == "ended: seat_ended"
    await fleet.speak(new, 700.0, slots=0, sub=OTHER)
    await until_heard(listener.client.ear, 700.0)
    assert fleet.directory.told(listener.session_id) == ["opened", "connected"]


async def test_a_room_that_is_over_is_silent_everywhere(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    part = room_part(relay.relay.relay_id, live=False)
    await fleet.owner(relay).ConfigureRooms(pb.ConfigureRoomsRequest(parts=[part]))
    await asyncio.sleep(0.4)
    assert rms(await hear(listener.client.ear, 0.5)) < 0.005
    assert len(relay.relay.sessions) == 0


async def test_sound_on_one_relay_does_not_need_the_bus(fleet: Fleet, nats_server: NatsServer) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    nats_server.stop()
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)


async def test_reports_wait_for_a_directory_that_is_away_and_keep_their_order(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.listen(relay, sub=OTHER)
    await asyncio.sleep(0.3)
    fleet.directory.away = True
    listener = await fleet.listen(relay)
    request = pb.DeleteSessionRequest(session_id=listener.session_id, permit=listener.permit)
    await fleet.gateway(relay).DeleteSession(request)
    await asyncio.sleep(0.5)
    assert fleet.directory.told(listener.session_id) == []
    fleet.directory.away = False
    for _ in range(60):
        if fleet.directory.told(listener.session_id):
            break
        await asyncio.sleep(0.05)
    assert fleet.directory.told(listener.session_id) == ["opened", "connected", "ended: deleted"]


async def test_permits_open_sessions_while_the_directory_is_away(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await asyncio.sleep(0.2)
    fleet.directory.away = True
    await fleet.listen(relay)


async def test_without_any_key_a_permit_is_refused_for_now_not_for_good(fleet: Fleet) -> None:
    fleet.directory.away = True
    relay = await fleet.add_relay()
    request = pb.CreateSessionRequest(permit=fleet.directory.permit(relay), offer_sdp=offer("pion_listener"))
    with pytest.raises(RemoteError) as refused:
        await fleet.gateway(relay).CreateSession(request)
    assert refused.value.reason == "PART_UNAVAILABLE"
    fleet.directory.away = False
    await fleet.gateway(relay).CreateSession(request)


async def test_the_heartbeat_tells_the_load_soon_after_a_start_and_a_new_room_at_once(
    fleet: Fleet, nats_server: NatsServer
) -> None:
    settings = ServiceSettings(service_secret_file=fleet.folder / "service-secret", nats_url=nats_server.url)
    bus, loads = Bus(settings, Metrics("listening")), []

    async def heard(load: RelayLoad) -> None:
        loads.append(load)

    await bus.connect()
    await bus.subscribe(RelayLoad, heard)
    relay = await fleet.add_relay()
    await asyncio.sleep(2.3)
    # More often at first, for those that start beside it.
    assert 3 <= len(loads) <= 12
    loads.clear()
    request = pb.CreateSessionRequest(permit=fleet.directory.permit(relay), offer_sdp=offer("pion_listener"))
    await fleet.gateway(relay).CreateSession(request)
    await asyncio.sleep(0.3)
    assert [room.room_id for room in loads[-1].rooms] == [ROOM]
    await relay.drain()
    await asyncio.sleep(0.2)
    assert loads[-1].draining
    await bus.close()


async def test_a_draining_relay_refuses_newcomers_and_ends_the_rest_with_that_cause(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    draining = asyncio.ensure_future(relay.drain())
    await asyncio.sleep(0)
    request = pb.CreateSessionRequest(permit=fleet.directory.permit(relay), offer_sdp=offer("pion_listener"))
    with pytest.raises(RemoteError) as refused:
        await fleet.gateway(relay).CreateSession(request)
    assert refused.value.reason == "RELAY_DRAINING"
    await draining
    await asyncio.sleep(0.3)
    assert fleet.directory.told(listener.session_id)[-1] == "ended: draining"


def _frames(relay: object, direction: str) -> float:
    registry = relay.metrics.registry  # type: ignore[attr-defined]
    found = registry.get_sample_value("majlis_media_relay_programme_frames_total", {"direction": direction})
    return float(found or 0.0)
