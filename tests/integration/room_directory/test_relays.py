"""Relays that come, go, start anew and fill up."""

import asyncio
from pathlib import Path

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import (
    fleet_service_pb2,
    moderation_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    sessions_pb2,
    stage_service_pb2,
)

from services.room_directory.domain.seats import SessionState
from tests.integration.room_directory.world import World, refusal, refused_with
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings


async def test_a_relay_that_starts_anew_gets_its_rooms_and_sends_people_for_new_permits(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    lina = await world.join("lina", room_id)
    await world.stream("lina", room_id, lina.seat.epoch, True)
    await world.connect("lina", room_id, lina.seat.epoch, relay, stage=True)
    await relay.die()
    await relay.start_anew()
    await world.until(lambda: bool(world.of_type(room_events_pb2.MediaMoved, room_id)))
    assert relay.parts[room_id].home_relay_id == relay.relay_id
    permit = await world.call(
        "lina",
        "GetMediaPermit",
        room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_STAGE),
    )
    assert (await world.claims(permit.permit))["boot"] == relay.boot_id
    snapshot = await world.snapshot(room_id)
    assert all(seat.connected for seat in snapshot.stage)


async def test_the_stage_moves_when_its_home_relay_is_lost(world: World) -> None:
    first, second = await world.relay("relay00001"), await world.relay("relay00002")
    room_id = (await world.create("lina")).room_id
    home = (await world.claims((await world.join("lina", room_id)).permit))["home"]
    lost, other = (first, second) if home == first.relay_id else (second, first)
    await lost.die()
    await world.until(lambda: bool(world.of_type(room_events_pb2.MediaMoved, room_id)))
    assert world.of_type(room_events_pb2.MediaMoved, room_id)[0].relay_id == lost.relay_id
    await world.until(lambda: other.parts.get(room_id, relay_pb.RoomPart()).home_relay_id == other.relay_id)
    permit = await world.call(
        "lina",
        "GetMediaPermit",
        room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_STAGE),
    )
    assert (await world.claims(permit.permit))["relay"] == other.relay_id


async def test_a_relay_whose_port_refuses_is_given_up_long_before_one_that_is_only_silent(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    test_settings(tmp_path)
    world = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{tmp_path}/rooms.db")
    world.changes = {"relay_lost_seconds": 600.0}
    await world.open()
    await world.start()
    try:
        first, second = await world.relay("relay00001"), await world.relay("relay00002")
        room_id = (await world.create("lina")).room_id
        home = (await world.claims((await world.join("lina", room_id)).permit))["home"]
        killed, other = (first, second) if home == first.relay_id else (second, first)
        await killed.die()
        await world.until(lambda: bool(world.of_type(room_events_pb2.MediaMoved, room_id)))
        assert world.of_type(room_events_pb2.MediaMoved, room_id)[0].relay_id == killed.relay_id
        joined = await world.join("omar", room_id)
        assert (await world.claims(joined.permit))["relay"] == other.relay_id, "its last report is fresh still"
        await world.until(lambda: other.parts.get(room_id, relay_pb.RoomPart()).home_relay_id == other.relay_id)
    finally:
        await world.close()


async def test_a_draining_relay_gives_its_stage_to_another_one_and_is_not_said_to_be_lost_when_it_is_gone(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first = await world.relay("relay00001")
    room_id = (await world.create("lina")).room_id
    second = await world.relay("relay00002")
    first.load["draining"] = True
    await world.until(lambda: second.parts.get(room_id, relay_pb.RoomPart()).home_relay_id == second.relay_id)
    joined = await world.join("omar", room_id)
    assert (await world.claims(joined.permit))["relay"] == second.relay_id
    capsys.readouterr()
    await first.die()
    said: list[str] = []

    def has_gone() -> bool:
        said.append(capsys.readouterr().out)
        return "relay gone, as it was told to" in "".join(said)

    await world.until(has_gone)
    assert "relay lost" not in "".join(said)


async def test_the_people_of_a_draining_relay_are_asked_once_to_move_and_keep_their_sound_meanwhile(
    world: World,
) -> None:
    first = await world.relay("relay00001")
    room_id = (await world.create("lina")).room_id
    omar = await world.join("omar", room_id)
    await world.stream("omar", room_id, omar.seat.epoch, True)
    await world.connect("omar", room_id, omar.seat.epoch, first)
    second = await world.relay("relay00002")
    first.load |= {"draining": True, "move_within_milliseconds": 15_000}
    await world.until(lambda: bool(world.of_type(room_events_pb2.MediaMoved, room_id)))
    asked = world.of_type(room_events_pb2.MediaMoved, room_id)
    assert asked[0].relay_id == first.relay_id
    assert 0 < asked[0].spread_milliseconds <= 15_000
    live = world.parts.rooms.get(room_id)
    assert live is not None
    assert live.room.seats[person("omar")].session is SessionState.UP
    await world.until(lambda: second.parts.get(room_id, relay_pb.RoomPart()).home_relay_id == second.relay_id)
    permit = await world.call(
        "omar",
        "GetMediaPermit",
        room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE),
    )
    assert (await world.claims(permit.permit))["relay"] == second.relay_id
    await asyncio.sleep(1.2)
    assert len(world.of_type(room_events_pb2.MediaMoved, room_id)) == 1


async def test_who_is_still_on_a_draining_relay_when_the_time_to_move_is_over_is_asked_again(world: World) -> None:
    first = await world.relay("relay00001")
    room_id = (await world.create("lina")).room_id
    omar = await world.join("omar", room_id)
    await world.connect("omar", room_id, omar.seat.epoch, first)
    await world.relay("relay00002")
    first.load |= {"draining": True, "move_within_milliseconds": 15_000}
    await world.until(lambda: len(world.of_type(room_events_pb2.MediaMoved, room_id)) > 1)
    assert {asked.relay_id for asked in world.of_type(room_events_pb2.MediaMoved, room_id)} == {first.relay_id}


async def test_nobody_is_asked_to_move_while_there_is_no_other_relay(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    omar = await world.join("omar", room_id)
    await world.connect("omar", room_id, omar.seat.epoch, relay)
    relay.load |= {"draining": True, "move_within_milliseconds": 15_000}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].draining)
    await asyncio.sleep(1.2)
    assert world.of_type(room_events_pb2.MediaMoved, room_id) == []


async def test_a_full_relay_takes_nobody_and_the_caller_is_told(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    relay.load |= {"packets_per_second_budget": 1000, "packets_per_second": 900}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].work.usual == 900)
    told = await refused_with(world.join("omar", room_id))
    assert (told.reason, told.metadata["relays"]) == ("NO_RELAY", "full")


async def test_permits_not_yet_used_count_until_their_time_is_over(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    relay.load |= {"packets_per_second_budget": 320}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].limits.usual == 320)
    joined = [await world.join(f"guest{number}", room_id) for number in range(3)]
    assert all(each.permit.permit for each in joined)
    assert await refusal(world.join("onetoomany", room_id)) == "NO_RELAY"
    # The same seat again replaces its reservation.
    assert (await world.join("guest1", room_id)).permit.permit


async def test_orders_reach_a_relay_that_was_away_in_order_and_only_the_newest(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    accepted = await world.bring_on_stage("lina", "omar", room_id)
    await world.until(lambda: bool(relay.orders(person("omar"))))
    relay.changes.clear()
    relay.refuse = True
    for muted in (True, False, True):
        await world.call("omar", "SetOwnMute", stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=muted))
    await asyncio.sleep(0.3)
    relay.refuse = False
    mute, unmute = relay_pb.SEAT_ACTION_MUTE, relay_pb.SEAT_ACTION_UNMUTE
    await world.until(lambda: (mute, accepted.seat.epoch) in relay.orders(person("omar")))
    assert relay.orders(person("omar")) == [(unmute, accepted.seat.epoch), (mute, accepted.seat.epoch)]


async def test_a_stream_that_goes_and_comes_back_is_told_to_the_relay(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    epoch = (await world.join("omar", room_id)).seat.epoch
    await world.connect("omar", room_id, epoch, relay)
    await world.stream("omar", room_id, epoch, True)
    await world.stream("omar", room_id, epoch, False)
    gone = (relay_pb.SEAT_ACTION_STREAM_GONE, epoch)
    await world.until(lambda: gone in relay.orders(person("omar")))
    await world.stream("omar", room_id, epoch, True)
    await world.until(lambda: relay.orders(person("omar"))[-1] == (relay_pb.SEAT_ACTION_STREAM_BACK, epoch))


async def test_taking_a_seat_over_ends_the_first_device_and_tells_it(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    first = (await world.join("omar", room_id)).seat.epoch
    await world.connect("omar", room_id, first, relay)
    second = (await world.join("omar", room_id)).seat.epoch
    await world.until(lambda: (relay_pb.SEAT_ACTION_END, second) in relay.orders(person("omar")), seconds=1.0)
    await world.until(lambda: bool(world.of_type(room_events_pb2.SeatTakenOver)))
    taken = world.of_type(room_events_pb2.SeatTakenOver)[0]
    assert (taken.user_id, taken.epoch) == (person("omar"), second)
    assert taken.revision == (await world.snapshot(room_id)).revision
    stale = room_service_pb2.LeaveRoomRequest(room_id=room_id, epoch=first)
    assert await refusal(world.call("omar", "LeaveRoom", stale)) == "SEAT_TAKEN_OVER"


async def test_news_of_an_older_start_of_a_relay_is_void(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    epoch = (await world.join("omar", room_id)).seat.epoch
    newer, relay.boot_id = relay.boot_id, "olderboot00"
    await world.report("omar", room_id, epoch, relay, session_id="session0000000001")
    relay.boot_id = newer
    live = world.parts.rooms.get(room_id)
    assert live is not None
    assert not live.room.seats[person("omar")].in_use()
    await world.report("omar", room_id, epoch, relay, session_id="session0000000001")
    assert live.room.seats[person("omar")].in_use()
    ended = sessions_pb2.SESSION_EVENT_ENDED
    await world.report("omar", room_id, epoch, relay, session_id="session0000000001", event=ended)
    await world.report("omar", room_id, epoch, relay, session_id="session0000000001", event=ended)
    assert not live.room.seats[person("omar")].in_use()


async def test_a_moderator_whose_stage_session_ended_and_returned_leaves_the_room_live(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    epoch = (await world.join("lina", room_id)).seat.epoch
    session_id = await world.connect("lina", room_id, epoch, relay, stage=True)
    ended = sessions_pb2.SESSION_EVENT_ENDED
    await world.report("lina", room_id, epoch, relay, session_id=session_id, event=ended, stage=True)
    await world.until(lambda: any(e.room.state == 2 for e in world.of_type(room_events_pb2.RoomUpdated)))
    await world.connect("lina", room_id, epoch, relay, stage=True)
    await world.until(lambda: world.of_type(room_events_pb2.RoomUpdated)[-1].room.state == 1)


async def test_the_stage_is_closed_at_the_relay_when_no_moderator_comes_back(world: World) -> None:
    await world.crash()
    world.changes = {"hold_seconds": 0.5, "closing_seconds": 1.0}
    await world.start()
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await world.call("lina", "LeaveRoom", room_service_pb2.LeaveRoomRequest(room_id=room_id))
    await world.until(lambda: relay.parts[room_id].stage_closed)
    await world.until(lambda: not relay.parts[room_id].live)
    assert await refusal(world.join("omar", room_id)) == "ROOM_ENDED"


async def test_gateways_learn_how_to_reach_relays(world: World) -> None:
    relay = await world.relay()
    listed = await world.stub.ListRelays(fleet_service_pb2.ListRelaysRequest(), metadata=world.as_service("gateway"))
    assert [(each.relay_id, each.boot_id, each.accepting) for each in listed.relays] == [
        (relay.relay_id, relay.boot_id, True)
    ]


@pytest.mark.parametrize("act", ["MuteSpeaker", "MoveToAudience", "RemovePerson", "LeaveStage"])
async def test_what_takes_a_voice_away_is_in_force_on_the_relay_when_the_call_returns(world: World, act: str) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    await world.connect("omar", room_id, joined.seat.epoch, relay)
    spoken = await world.bring_on_stage("lina", "omar", room_id)
    await world.connect("omar", room_id, spoken.seat.epoch, relay, stage=True)
    await world.until(lambda: bool(relay.orders(person("omar"))))
    relay.changes.clear()
    relay.pause = 0.3
    if act == "LeaveStage":
        await world.call("omar", act, stage_service_pb2.LeaveStageRequest(room_id=room_id))
    else:
        messages = moderation_service_pb2 if act == "RemovePerson" else stage_service_pb2
        request = getattr(messages, f"{act}Request")(room_id=room_id, user_id=person("omar"))
        await world.call("lina", act, request)
    wanted = {"MuteSpeaker": relay_pb.SEAT_ACTION_MUTE, "RemovePerson": relay_pb.SEAT_ACTION_END}
    assert relay.orders(person("omar"))[-1][0] == wanted.get(act, relay_pb.SEAT_ACTION_REPLACE)
