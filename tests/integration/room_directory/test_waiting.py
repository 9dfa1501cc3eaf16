"""The line before a full room, through the real service: places, tickets, seats that are offered, a restart."""

import asyncio
from dataclasses import replace

import grpc
import pytest
from majlis.room_directory.v1 import fleet_service_pb2, room_pb2, room_service_pb2, sessions_pb2, stage_service_pb2

from services.common.rpc.errors import raise_for
from tests.integration.room_directory.test_rungs import stream_of_sound
from tests.integration.room_directory.world import World, on_both_databases, refusal, refused_with
from tests.support.fake_auth import person


async def _small(world: World, limit: int = 2, *, silent: int = 0) -> str:
    """A room with so many seats, all of them taken; `silent` of them are without a session, and lost in a restart."""
    await world.crash()
    world.changes = {"listener_limit": limit}
    await world.start()
    relay = await world.relay()
    room_id: str = (await world.create("lina")).room_id
    for number in range(limit):
        joined = await world.join(f"seated{number}", room_id)
        if number >= silent:
            await world.connect(f"seated{number}", room_id, joined.seat.epoch, relay)
    return room_id


async def _wait(world: World, name: str, room_id: str, ticket: str = "") -> room_pb2.Place:
    answer = await world.join(name, room_id, may_wait=True, ticket=ticket)
    assert answer.HasField("place"), "there was a seat"
    return answer.place


async def _leave(world: World, name: str, room_id: str) -> None:
    await world.call(name, "LeaveRoom", room_service_pb2.LeaveRoomRequest(room_id=room_id))


async def _until_in(world: World, name: str, room_id: str, ticket: str = "") -> room_service_pb2.JoinRoomResponse:
    for _ in range(100):
        answer = await world.join(name, room_id, may_wait=True, ticket=ticket)
        if not answer.HasField("place"):
            return answer
        ticket = answer.place.ticket
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} never came in")


@on_both_databases
async def test_who_finds_no_seat_gets_a_place_and_comes_in_when_one_is_free(world: World) -> None:
    room_id = await _small(world)
    omar, nadia = await _wait(world, "omar", room_id), await _wait(world, "nadia", room_id)
    assert (omar.position, nadia.position, nadia.waiting_count) == (1, 2, 2)
    assert not nadia.HasField("expected_wait"), "nobody came in yet: there is no pace"
    assert not nadia.relays_busy, "it is seats that are missing"
    await _leave(world, "seated0", room_id)
    came_in = await _until_in(world, "omar", room_id, omar.ticket)
    assert came_in.seat.role == room_pb2.ROLE_LISTENER
    assert came_in.permit.permit
    moved = await _wait(world, "nadia", room_id, nadia.ticket)
    assert (moved.position, moved.waiting_count) == (1, 1)
    assert moved.expected_wait.seconds > 0


async def test_a_client_that_does_not_wait_is_refused_as_ever_while_others_wait_before_it(world: World) -> None:
    room_id = await _small(world)
    await _wait(world, "omar", room_id)
    assert await refusal(world.join("older", room_id)) == "ROOM_FULL"
    await _leave(world, "seated0", room_id)
    assert await refusal(world.join("older", room_id)) == "ROOM_FULL", "the free seat is Omar's"
    await _until_in(world, "omar", room_id)


async def test_people_asked_by_name_and_people_who_come_back_go_before_newcomers(world: World) -> None:
    room_id = await _small(world)
    first = await _wait(world, "omar", room_id)
    await world.call("lina", "AddGuest", room_service_pb2.AddGuestRequest(room_id=room_id, handle="nadia"))
    assert (await _wait(world, "nadia", room_id)).position == 1
    assert (await _wait(world, "omar", room_id, first.ticket)).position == 2
    await _leave(world, "seated0", room_id)
    back = await world.join("seated0", room_id, may_wait=True)
    assert back.seat.role == room_pb2.ROLE_LISTENER, "whoever was just there finds their seat before it is offered"


async def test_a_second_device_takes_the_place_over_and_the_first_is_told(world: World) -> None:
    room_id = await _small(world)
    phone = await _wait(world, "omar", room_id)
    tablet = await _wait(world, "omar", room_id)
    assert (tablet.position, tablet.waiting_count) == (1, 1)
    assert await refusal(world.join("omar", room_id, may_wait=True, ticket=phone.ticket)) == "TICKET_ELSEWHERE"
    assert (await _wait(world, "omar", room_id, tablet.ticket)).position == 1


async def test_a_ticket_is_good_for_its_person_and_room_alone(world: World) -> None:
    room_id = await _small(world)
    other_id = (await world.create("lina", "Bread and salt")).room_id
    place = await _wait(world, "omar", room_id)
    for name, where, ticket in (
        ("nadia", room_id, place.ticket),
        ("omar", other_id, place.ticket),
        ("omar", room_id, place.ticket[:-4] + "AAAA"),
        ("omar", room_id, "x"),
    ):
        assert await refusal(world.join(name, where, may_wait=True, ticket=ticket)) == "TICKET_INVALID"


@on_both_databases
async def test_after_a_restart_the_line_stands_as_it_did(world: World) -> None:
    room_id = await _small(world)
    places = [await _wait(world, name, room_id) for name in ("omar", "nadia", "yusuf")]
    await world.crash()
    await world.start()
    await world.until(lambda: bool(world.parts.app.fleet.list_relays()))
    # Somebody new knocks before them all, and the last one shows their ticket first.
    assert (await _wait(world, "early", room_id)).position == 1
    shown = zip(("yusuf", "nadia", "omar"), reversed(places), strict=True)
    again = [await _wait(world, name, room_id, place.ticket) for name, place in shown]
    assert again[-1].position == 1
    assert (await _wait(world, "yusuf", room_id, again[0].ticket)).position == 3
    assert (await _wait(world, "early", room_id)).position == 4


async def test_after_a_restart_a_newcomer_takes_no_seat_before_those_who_waited_came_back(world: World) -> None:
    room_id = await _small(world, 3, silent=1)
    omar = await _wait(world, "omar", room_id)
    await world.crash()
    await world.start()
    await world.until(lambda: world.listeners(room_id) == 2)
    early = await _wait(world, "early", room_id)
    assert await refusal(world.join("older", room_id)) == "ROOM_FULL", "nor does one that cannot wait"
    assert (await _wait(world, "omar", room_id, omar.ticket)).position == 1
    assert (await _wait(world, "early", room_id, early.ticket)).position == 2


async def test_after_a_restart_a_newcomer_takes_no_seat_of_a_half_empty_room_while_the_relays_are_nearly_full(
    world: World,
) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.crash()
    relay.load = {"packets_per_second_budget": 400_000, "packets_per_second": 330_000}
    await world.start()
    await world.until(lambda: bool(world.parts.app.fleet.list_relays()))
    assert (await _wait(world, "early", room_id)).position == 1
    await world.crash()
    relay.load = {"packets_per_second_budget": 400_000}
    await world.start()
    await world.until(lambda: bool(world.parts.app.fleet.list_relays()))
    assert not (await world.join("early", room_id, may_wait=True)).HasField("place")


async def test_places_that_are_shown_again_count_against_the_bound(world: World) -> None:
    room_id = await _small(world)
    places = {name: await _wait(world, name, room_id) for name in ("omar", "nadia")}
    await world.crash()
    await world.start()
    await world.until(lambda: bool(world.parts.app.fleet.list_relays()))
    world.parts.app.waiting._limits = replace(world.parts.app.waiting._limits, waiting=2)
    for name, place in places.items():
        await _wait(world, name, room_id, place.ticket)
    assert await refusal(world.join("yusuf", room_id, may_wait=True)) == "LINE_FULL"


async def test_whoever_does_not_wait_is_told_when_to_try_again(world: World) -> None:
    room_id = await _small(world)
    refused = await refused_with(world.join("older", room_id))
    assert (refused.reason, 0 < (refused.retry_after_seconds or 0) <= 60) == ("ROOM_FULL", True)


async def test_leaving_the_line_moves_those_behind(world: World) -> None:
    room_id = await _small(world)
    omar, nadia = await _wait(world, "omar", room_id), await _wait(world, "nadia", room_id)
    await world.call("omar", "LeaveLine", room_service_pb2.LeaveLineRequest(room_id=room_id, ticket=omar.ticket))
    assert (await _wait(world, "nadia", room_id, nadia.ticket)).position == 1
    again = await _wait(world, "omar", room_id, omar.ticket)
    assert again.position == 2, "a ticket of a place that was given up holds nothing"


async def test_leaving_and_coming_again_draws_no_better_lot(world: World) -> None:
    room_id = await _small(world)
    chosen = room_service_pb2.UpdateRoomRequest(room_id=room_id, line_order=room_pb2.LINE_ORDER_LOT)
    await world.call("lina", "UpdateRoom", chosen)
    for number in range(9):
        await _wait(world, f"other{number}", room_id)
    drawn = (await _wait(world, "omar", room_id)).position
    for _ in range(12):
        await world.call("omar", "LeaveLine", room_service_pb2.LeaveLineRequest(room_id=room_id))
        assert (await _wait(world, "omar", room_id)).position == drawn


async def test_knocking_where_one_may_not_enter_keeps_nobody_out_elsewhere(world: World) -> None:
    await world.crash()
    world.changes = {"entries_per_second": 1.0}
    await world.start()
    await world.relay()
    closed = (await world.create("lina", visibility=room_pb2.VISIBILITY_CLOSED)).room_id
    room_id = (await world.create("lina", "Bread and salt")).room_id
    for _ in range(5):
        assert await refusal(world.join("omar", closed, "wrong", may_wait=True)) == "ROOM_CLOSED"
    assert not (await world.join("nadia", room_id, may_wait=True)).HasField("place")


async def test_beyond_the_bound_people_are_told_that_the_line_is_full(world: World) -> None:
    room_id = await _small(world)
    world.parts.app.waiting._limits = type(world.parts.app.waiting._limits)(waiting=1)
    await _wait(world, "omar", room_id)
    assert await refusal(world.join("nadia", room_id, may_wait=True)) == "LINE_FULL"


async def test_a_fleet_without_room_makes_people_wait_and_lets_them_in_as_room_appears(world: World) -> None:
    relay = await world.relay()
    relay.load["packets_per_second_budget"] = 300
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].limits.usual == 300)
    room_id = (await world.create("lina")).room_id
    names = iter(f"guest{number}" for number in range(20))
    while not (answer := await world.join(next(names), room_id, may_wait=True)).HasField("place"):
        pass
    assert answer.place.position == 1
    assert await refusal(world.join("older", room_id)) in {"ROOM_FULL", "NO_RELAY"}
    relay.load["packets_per_second_budget"] = 30_000
    for name in list(names)[-1:]:
        await _until_in(world, name, room_id)


async def test_who_waits_for_a_fleet_that_has_its_hands_full_is_told_that_and_not_that_seats_are_taken(
    world: World,
) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    relay.load |= {"ladder_step": 7, "packets_per_second_budget": 1}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].footing.step == 7)
    place = await _wait(world, "omar", room_id)
    assert place.relays_busy
    relay.load |= {"ladder_step": 5, "packets_per_second_budget": 400_000}
    await _until_in(world, "omar", room_id, place.ticket)


async def test_who_listens_over_https_waits_for_no_relay_and_takes_nobodys_seat(world: World) -> None:
    await world.crash()
    world.changes = {"listener_limit": 3}
    await world.start()
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    relay.load |= {"ladder_step": 7, "packets_per_second_budget": 1}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].footing.step == 7)
    place = await _wait(world, "omar", room_id)
    assert place.relays_busy
    assert not place.listen_over_https, "no gateway says that it has room"
    for more in (0, 5):
        load = sessions_pb2.GatewayLoad(listeners=35, listener_limit=40, listeners_more=more)
        report = fleet_service_pb2.ReportListenersRequest(gateway_id="gateway0000001", load=load)
        await world.stub.ReportListeners(report, metadata=world.as_service("gateway"))
        place = await _wait(world, "omar", room_id, place.ticket)
        assert place.listen_over_https == (more > 0)
    nadia = await world.join("nadia", room_id, without_permit=True)
    assert nadia.seat.epoch, "there are seats, and it is relays that are missing"
    assert not nadia.permit.permit
    await stream_of_sound(world, "nadia", room_id, nadia.seat.epoch)
    asked = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
    assert await refusal(world.call("nadia", "GetMediaPermit", asked)) == "NO_RELAY", "as a newcomer to relays"
    await world.join("sana", room_id, without_permit=True)
    late = await world.join("walid", room_id, without_permit=True, may_wait=True)
    assert late.HasField("place"), "the last seat is for who waits in line"
    assert not late.place.listen_over_https
    omar = await world.join("omar", room_id, without_permit=True, ticket=place.ticket)
    assert omar.seat.epoch, "whoever waits may listen over HTTPS instead"


async def test_a_room_that_is_over_is_named_to_who_comes_late_unless_it_was_closed(world: World) -> None:
    await world.relay()
    for visibility, title in ((room_pb2.VISIBILITY_OPEN, "Stars over Sanaa"), (room_pb2.VISIBILITY_CLOSED, None)):
        room_id = (await world.create("lina", visibility=visibility)).room_id
        await world.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room_id))
        refused = await refused_with(world.join("omar", room_id))
        assert (refused.reason, refused.metadata.get("title")) == ("ROOM_ENDED", title)


@pytest.mark.parametrize("who", ["lina", "omar"])
async def test_whoever_started_the_room_alone_chooses_the_order_of_the_line(world: World, who: str) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await world.bring_on_stage("lina", "omar", room_id)
    await world.call(
        "lina", "MakeModerator", stage_service_pb2.MakeModeratorRequest(room_id=room_id, user_id=person("omar"))
    )
    request = room_service_pb2.UpdateRoomRequest(room_id=room_id, line_order=room_pb2.LINE_ORDER_LOT)
    if who == "lina":
        assert (await world.call(who, "UpdateRoom", request)).room.line_order == room_pb2.LINE_ORDER_LOT
        await world.crash()
        await world.start()
        shown = await world.call("lina", "GetRoom", room_service_pb2.GetRoomRequest(room_id=room_id))
        assert shown.snapshot.room.line_order == room_pb2.LINE_ORDER_LOT
    else:
        assert await refusal(world.call(who, "UpdateRoom", request)) == "NOT_ALLOWED"


async def _sent_away(world: World, name: str, room_id: str, waited: int, *, edge: str = "gateway") -> room_pb2.Place:
    """Knocks by way of an edge that says for how long it has been sending this person away."""
    told = (*world.as_user(name), ("x-forwarded-waited", str(waited)), *(world.as_service(edge) if edge else ()))
    request = room_service_pb2.JoinRoomRequest(room_id=room_id, may_wait=True)
    answer = await world.stub.JoinRoom(request, metadata=told)
    assert answer.HasField("place"), "there was a seat"
    place: room_pb2.Place = answer.place
    return place


async def test_who_was_sent_away_by_a_crowd_stands_in_line_by_their_first_try(world: World) -> None:
    room_id = await _small(world)
    await _wait(world, "omar", room_id)
    assert (await _sent_away(world, "nadia", room_id, 20_000)).position == 1
    assert (await _sent_away(world, "yusuf", room_id, 10_000)).position == 2
    forged = await _sent_away(world, "dana", room_id, 60_000, edge="")
    assert forged.position == 4, "only a proven service says so"
    await world.call("nadia", "LeaveLine", room_service_pb2.LeaveLineRequest(room_id=room_id))
    assert (await _sent_away(world, "nadia", room_id, 60_000)).position == 4, "they gave that place up"


async def test_one_person_cannot_ask_to_come_in_without_end_and_keeps_nobody_else_out_by_it(world: World) -> None:
    await world.relay()
    room_id: str = (await world.create("lina")).room_id
    asked = await asyncio.gather(*(refused_or_in(world, "omar", room_id) for _ in range(70)))
    assert asked.count("RATE_LIMITED") >= 5
    assert asked.count("") >= 60
    assert await refused_or_in(world, "nadia", room_id) == ""


async def refused_or_in(world: World, name: str, room_id: str) -> str:
    """The reason of the refusal, or nothing for whoever came in."""
    try:
        await world.join(name, room_id)
    except grpc.aio.AioRpcError as error:
        return raise_for(error).reason
    return ""
