"""Rooms that are open to the web, as the directory keeps and tells them."""

from majlis.room_directory.v1 import room_events_pb2, room_pb2, room_service_pb2

from tests.integration.room_directory.world import World, on_both_databases, refusal


def opening(room_id: str, *, open_to_web: bool = True, limit: int = 0) -> room_service_pb2.UpdateRoomRequest:
    request = room_service_pb2.UpdateRoomRequest(room_id=room_id, open_to_web=open_to_web)
    if limit:
        request.web_listener_limit = limit
    return request


@on_both_databases
async def test_a_room_stays_open_to_the_web_over_a_crash_until_a_moderator_closes_it(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("lina", room_id)
    assert not (await world.snapshot(room_id)).room.open_to_web
    answer = await world.call("lina", "UpdateRoom", opening(room_id, limit=40))
    assert (answer.room.open_to_web, answer.room.web_listener_limit) == (True, 40)
    await world.until(lambda: any(fact.room.open_to_web for fact in world.of_type(room_events_pb2.RoomUpdated)))
    await world.crash()
    await world.start()
    kept = (await world.snapshot(room_id)).room
    assert (kept.open_to_web, kept.web_listener_limit) == (True, 40)
    closed = await world.call("lina", "UpdateRoom", opening(room_id, open_to_web=False))
    assert not closed.room.open_to_web
    assert not closed.unsaved
    assert not (await world.snapshot(room_id)).room.open_to_web


async def test_only_who_leads_an_open_room_opens_it_to_the_web(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("lina", room_id)
    await world.join("omar", room_id)
    assert await refusal(world.call("omar", "UpdateRoom", opening(room_id))) == "NOT_ALLOWED"
    closed = (await world.create("lina", visibility=room_pb2.VISIBILITY_CLOSED)).room_id
    await world.join("lina", closed)
    assert await refusal(world.call("lina", "UpdateRoom", opening(closed))) == "WEB_NOT_ALLOWED"


async def test_an_operator_forbids_it_by_a_limit_of_none(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("lina", room_id)
    await world.call("lina", "UpdateRoom", opening(room_id))
    await world.crash()
    world.changes = {"web_listener_limit": 0}
    await world.start()
    room = (await world.snapshot(room_id)).room
    assert (room.open_to_web, room.web_listener_limit) == (False, 0), "also for a room that was open"
    assert await refusal(world.call("lina", "UpdateRoom", opening(room_id))) == "WEB_NOT_ALLOWED"
