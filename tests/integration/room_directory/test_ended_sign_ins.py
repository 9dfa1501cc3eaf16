"""A sign-in that ends takes with it what was taken by it: seats, and sessions opened beside somebody's seat."""

import asyncio
import time

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import auth_facts_pb2
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import room_pb2, room_service_pb2

from tests.integration.room_directory.world import FakeRelay, World, on_both_databases
from tests.support.fake_auth import person

OMAR = person("omar")
END, END_SIGN_IN = relay_pb.SEAT_ACTION_END, relay_pb.SEAT_ACTION_END_SIGN_IN


def ended(world: World, sign_in_id: str = "") -> auth_facts_pb2.SignedOut:
    """A fact that auth tells when it is asked."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    number = len(world.auth.facts) + 1
    fact = auth_facts_pb2.SignedOut(number=number, user_id=OMAR, occurred_at=stamp, sign_in_id=sign_in_id)
    world.auth.facts.append(auth_facts_pb2.AuthFact(number=number, signed_out=fact))
    return fact


async def listening(world: World, relay: FakeRelay, sign_in_id: str) -> str:
    """A room in which Omar listens by one of his sign-ins."""
    room_id = (await world.create("lina")).room_id
    joined = await world.call("omar", "JoinRoom", room_service_pb2.JoinRoomRequest(room_id=room_id), sid=sign_in_id)
    claims = await world.claims(joined.permit)
    assert claims["sid"] == sign_in_id
    await world.connect("omar", room_id, joined.seat.epoch, relay)
    relay.sessions[-1].sign_in_id, relay.sessions[-1].issued_at = sign_in_id, int(time.time())
    return room_id


def told(relay: FakeRelay) -> list[tuple[int, str]]:
    return [(change.action, change.sign_in_id) for change in relay.changes if change.user_id == OMAR]


@on_both_databases
async def test_ending_one_sign_in_ends_its_seat_within_a_second_and_not_another_devices(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "phone00000")
    relay.changes.clear()
    await world.listener.publish(ended(world, "laptop0000"))
    await world.until(lambda: told(relay) == [(END_SIGN_IN, "laptop0000")])
    assert world.listeners(room_id) == 1
    await world.listener.publish(ended(world, "phone00000"))
    await world.until(lambda: (END, "") in told(relay), seconds=1.0)
    assert world.listeners(room_id) == 0


async def test_a_permit_fetched_for_somebodys_seat_by_a_sign_in_that_ended_is_named_to_relays(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "laptop0000")
    request = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
    stolen = await world.call("omar", "GetMediaPermit", request, sid="phone00000")
    assert (await world.claims(stolen.permit))["sid"] == "phone00000"
    await world.listener.publish(ended(world, "phone00000"))
    await world.until(lambda: (END_SIGN_IN, "phone00000") in told(relay), seconds=1.0)
    assert world.listeners(room_id) == 1


async def test_a_sign_in_that_ended_while_the_directory_was_down_ends_its_seat_at_the_start(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "phone00000")
    await world.crash()
    ended(world, "phone00000")
    await world.start()
    await world.until(lambda: told(relay)[-1:] == [(END, "")], seconds=2.0)
    assert world.listeners(room_id) == 0


async def test_signing_out_everywhere_while_the_directory_was_down_ends_seats_too(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "phone00000")
    await world.crash()
    ended(world)
    await world.start()
    await world.until(lambda: world.listeners(room_id) == 0, seconds=2.0)


async def test_what_a_relay_had_not_heard_when_the_directory_crashed_it_hears_after(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "phone00000")
    relay.refuse = True
    await world.listener.publish(ended(world, "phone00000"))
    await world.until(lambda: world.listeners(room_id) == 0)
    await asyncio.sleep(0.1)
    await world.crash()
    relay.refuse = False
    relay.changes.clear()
    await world.start()
    await world.until(lambda: bool(told(relay)), seconds=2.0)
    assert told(relay)[-1][0] in (END, END_SIGN_IN)
    assert world.listeners(room_id) == 0


async def test_a_sign_in_that_ends_while_the_bus_is_down_ends_its_seat_within_a_second(world: World) -> None:
    relay = await world.relay()
    room_id = await listening(world, relay, "phone00000")
    await world.parts.bus.close()
    await asyncio.sleep(0.6)
    ended(world, "phone00000")
    await world.until(lambda: (END, "") in told(relay), seconds=1.0)
    assert world.listeners(room_id) == 0
