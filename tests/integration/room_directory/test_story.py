"""The walk of an evening: start a room, listen, raise a hand, come on stage, speak, go home."""

from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import (
    moderation_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from tests.integration.room_directory.world import World, on_both_databases, refusal
from tests.support.fake_auth import person


@on_both_databases
async def test_a_listener_raises_a_hand_and_speaks(world: World) -> None:
    relay = await world.relay()
    room = await world.create("lina")
    assert relay.parts[room.room_id].home_relay_id == relay.relay_id
    lina = await world.join("lina", room.room_id)
    assert lina.permit.path == f"/whip/{room.room_id}"
    await world.connect("lina", room.room_id, lina.seat.epoch, relay, stage=True)

    omar = await world.join("omar", room.room_id)
    claims = await world.claims(omar.permit)
    assert (claims["room"], claims["sub"], claims["kind"]) == (room.room_id, person("omar"), "audience")
    assert (claims["relay"], claims["boot"], claims["home"]) == (relay.relay_id, relay.boot_id, relay.relay_id)
    assert claims["epoch"] == omar.seat.epoch
    assert (claims["channel"], claims["channel_kind"], claims["booth"]) == ("floor", "floor", "")
    assert [channel.name for channel in relay.parts[room.room_id].channels] == ["floor"]
    assert omar.permit.path == f"/whep/{room.room_id}"
    await world.connect("omar", room.room_id, omar.seat.epoch, relay)

    raised = await world.call(
        "omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room.room_id, question="What is dew?")
    )
    assert raised.seat.hand_position == 1
    queue = await world.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room.room_id))
    assert [(hand.person.display_name, hand.question) for hand in queue.hands] == [("omar", "What is dew?")]

    accepted = await world.bring_on_stage("lina", "omar", room.room_id)
    assert accepted.seat.role == room_pb2.ROLE_SPEAKER
    stage_claims = await world.claims(accepted.permit)
    assert stage_claims["kind"] == "stage"
    assert stage_claims["member"] == accepted.seat.member != 0
    assert stage_claims["epoch"] > omar.seat.epoch
    replace = (relay_pb.SEAT_ACTION_REPLACE, accepted.seat.epoch)
    await world.until(lambda: replace in relay.orders(person("omar")))

    await world.call(
        "lina", "MuteSpeaker", stage_service_pb2.MuteSpeakerRequest(room_id=room.room_id, user_id=person("omar"))
    )
    await world.until(lambda: (relay_pb.SEAT_ACTION_MUTE, accepted.seat.epoch) in relay.orders(person("omar")))
    seat = next(s for s in (await world.snapshot(room.room_id)).stage if s.person.user_id == person("omar"))
    assert seat.muted
    assert seat.muted_by_moderator

    await world.call("omar", "LeaveRoom", room_service_pb2.LeaveRoomRequest(room_id=room.room_id))
    await world.until(lambda: relay.orders(person("omar"))[-1][0] == relay_pb.SEAT_ACTION_END)
    await world.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room.room_id))
    await world.until(lambda: not relay.parts[room.room_id].live)
    assert await refusal(world.join("omar", room.room_id)) == "ROOM_ENDED"


@on_both_databases
async def test_every_event_carries_the_next_revision_and_the_profile_it_shows(world: World) -> None:
    await world.relay()
    room = await world.create("lina")
    await world.join("omar", room.room_id)
    await world.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room.room_id))
    await world.bring_on_stage("lina", "omar", room.room_id)
    await world.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room.room_id))
    await world.until(lambda: bool(world.of_type(room_events_pb2.RoomEnded)))
    kinds = [type(event).__name__ for event in world.events]
    assert kinds == [
        "RoomCreated", "StageJoined", "HandRaised", "StageOffered", "StageJoined", "HandLowered", "RoomEnded",
    ]  # fmt: skip
    of_queue = ("HandRaised", "HandLowered")
    numbered = [event for event in world.events if type(event).__name__ not in of_queue]
    assert [event.revision for event in numbered] == [1, 2, 3, 4, 5]
    of_hands = [event for event in world.events if type(event).__name__ in of_queue]
    assert [(event.revision, event.queue_revision) for event in of_hands] == [(2, 1), (4, 2)]
    assert world.of_type(room_events_pb2.HandRaised)[0].hand.person.display_name == "omar"
    assert world.of_type(room_events_pb2.StageJoined)[1].seat.person.display_name == "omar"


async def test_a_pulse_brings_counts_each_second_and_the_sample_when_it_changed(world: World) -> None:
    await world.relay()
    room = await world.create("lina")
    await world.join("omar", room.room_id)
    await world.until(lambda: any(pulse.listener_count == 1 for pulse in world.pulses))
    first = next(pulse for pulse in world.pulses if pulse.listener_count == 1)
    assert [each.user_id for each in first.audience_sample] == [person("omar")]
    count = len(world.pulses)
    await world.until(lambda: len(world.pulses) > count)
    assert not world.pulses[-1].audience_sample
    assert world.pulses[-1].revision == (await world.snapshot(room.room_id)).revision


async def test_whoever_is_removed_and_back_within_one_pulse_is_in_the_sample_again(world: World) -> None:
    await world.relay()
    room = await world.create("lina")
    await world.join("omar", room.room_id)
    await world.until(lambda: any(pulse.audience_sample for pulse in world.pulses))
    about = {"room_id": room.room_id, "user_id": person("omar")}
    told = len([pulse for pulse in world.pulses if pulse.audience_sample])
    await world.call("lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(**about))
    await world.call("lina", "ReadmitPerson", moderation_service_pb2.ReadmitPersonRequest(**about))
    await world.join("omar", room.room_id)
    await world.until(lambda: len([pulse for pulse in world.pulses if pulse.audience_sample]) > told)


@on_both_databases
async def test_creating_twice_with_one_request_makes_one_room(world: World) -> None:
    request = room_service_pb2.CreateRoomRequest(request_id="ab" * 16, title="One", language="en")
    first = await world.call("lina", "CreateRoom", request)
    again = await world.call("lina", "CreateRoom", request)
    assert first.room.room_id == again.room.room_id
    listed = await world.call("omar", "ListRooms", room_service_pb2.ListRoomsRequest())
    assert [room.room_id for room in listed.rooms] == [first.room.room_id]


@on_both_databases
async def test_nobody_leads_more_rooms_than_allowed(world: World) -> None:
    for number in range(3):
        await world.create("lina", f"Room {number}")
    assert await refusal(world.create("lina", "One too many")) == "TOO_MANY_ROOMS"


async def test_a_room_without_any_relay_says_so_and_gets_one_when_it_appears(world: World) -> None:
    room = await world.create("lina")
    assert await refusal(world.join("omar", room.room_id)) == "NO_RELAY"
    relay = await world.relay()
    await world.until(lambda: relay.parts.get(room.room_id, relay_pb.RoomPart()).home_relay_id == relay.relay_id)
    assert (await world.join("omar", room.room_id)).permit.permit


async def test_how_long_somebody_waited_for_sound_is_measured_once(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    seat = (await world.join("omar", room_id)).seat

    def waits() -> float:
        return world.metrics.registry.get_sample_value("majlis_room_directory_join_seconds_count") or 0.0

    assert waits() == 0
    await world.connect("omar", room_id, seat.epoch, relay)
    assert waits() == 1
    await world.connect("omar", room_id, seat.epoch, relay)
    assert waits() == 1
