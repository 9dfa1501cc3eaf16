"""By which way people hear: what relays and gateways tell, over the real bus and real gRPC, and whom it concerns."""

from google.protobuf.message import Message
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import (
    booth_service_pb2,
    capacity_service_pb2,
    fleet_service_pb2,
    room_service_pb2,
    sessions_pb2,
)

from services.common.ids import new_id
from tests.integration.room_directory.world import World, refusal
from tests.support.fake_auth import person


def heard(room_id: str, web: int = 0, **channels: int) -> sessions_pb2.RoomListeners:
    told = [sessions_pb2.ChannelListeners(channel=name, listeners=many) for name, many in channels.items()]
    return sessions_pb2.RoomListeners(room_id=room_id, channels=told, web=web)


async def tell(world: World, *rooms: sessions_pb2.RoomListeners, gateway: str = "gateway0000001") -> None:
    request = fleet_service_pb2.ReportListenersRequest(gateway_id=gateway, rooms=rooms)
    await world.stub.ReportListeners(request, metadata=world.as_service("gateway"))


async def stream_of_sound(world: World, name: str, room_id: str, epoch: int) -> None:
    change = sessions_pb2.StreamChange(room_id=room_id, user_id=person(name), epoch=epoch, open=True, sound=True)
    request = fleet_service_pb2.ReportStreamsRequest(changes=[change])
    await world.stub.ReportStreams(request, metadata=world.as_service("gateway"))


async def test_a_rooms_pulse_says_by_which_way_its_audience_hears_and_operators_see_who_fell_back(
    world: World,
) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    for name in ("omar", "nadia", "sana"):
        joined = await world.join(name, room_id)
        await world.connect(name, room_id, joined.seat.epoch, relay)
    await stream_of_sound(world, "sana", room_id, joined.seat.epoch)
    relay.load["rooms"] = [relay_pb.RoomLoad(room_id=room_id, listeners_over_tcp=1)]
    await tell(world, heard(room_id, floor=1, web=12))

    def told() -> Message | None:
        found = [each for each in world.pulses if each.HasField("rungs") and each.rungs.https and each.rungs.tcp]
        return found[-1] if found else None

    await world.until(lambda: told() is not None)
    pulse = told()
    assert pulse is not None
    assert [getattr(pulse.rungs, rung) for rung in ("udp", "tcp", "https", "text")] == [1, 1, 1, 0]  # type: ignore[attr-defined]
    assert pulse.web_listener_count == 12  # type: ignore[attr-defined]
    (card,) = (await world.call("omar", "ListRooms", room_service_pb2.ListRoomsRequest())).rooms
    assert (card.listener_count, card.web_listener_count) == (3, 12), "the hallway counts them too"
    sample = world.metrics.registry.get_sample_value
    assert sample("majlis_room_directory_rung_listeners", {"rung": "https"}) == 1
    assert sample("majlis_room_directory_downgrades_total", {"cause": "stood"}) == 1


async def test_moderators_see_who_hears_a_channel_over_https_too_and_nobody_but_gateways_may_tell(
    world: World,
) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.call("lina", "OpenBooth", booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ru"))
    await tell(world, heard(room_id, floor=2, ru=3), heard(new_id(), floor=9))
    await tell(world, heard(room_id, ru=1), gateway="gateway0000002")
    listed = await world.call("lina", "ListChannels", booth_service_pb2.ListChannelsRequest(room_id=room_id))
    assert {each.channel.name: each.listeners for each in listed.channels} == {"floor": 2, "ru": 4}
    report = fleet_service_pb2.ReportListenersRequest(gateway_id="gateway0000001", rooms=[heard(room_id, floor=900)])
    relays = world.stub.ReportListeners(report, metadata=world.as_service("media_relay"))
    assert await refusal(relays) == "CALLER_NOT_ALLOWED"
    hostile = fleet_service_pb2.ReportListenersRequest(gateway_id="gateway0000001", rooms=[heard("no room")])
    assert await refusal(world.stub.ReportListeners(hostile, metadata=world.as_service("gateway"))) == "FIELD_INVALID"


async def test_operators_see_what_gateways_carry_over_https_and_how_many_more_they_take(world: World) -> None:
    await world.relay()
    load = sessions_pb2.GatewayLoad(
        listeners=35,
        listener_limit=40,
        listeners_more=5,
        bits_per_second=1_400_000,
        millicores=4,
        bytes=2**21,
        web_listeners=10,
        bits_limit=1_600_000,
    )
    request = fleet_service_pb2.ReportListenersRequest(gateway_id="gateway0000001", load=load)
    await world.stub.ReportListeners(request, metadata=world.as_service("gateway"))
    await tell(world)
    asked = capacity_service_pb2.ForecastCapacityRequest(rooms=1, listeners=1)
    (gateway,) = (await world.call("lina", "ForecastCapacity", asked, operator=True)).gateways
    assert (gateway.listeners, gateway.listeners_more, gateway.megabits_per_second) == (35, 5, 1.4)
    assert (gateway.cores, gateway.mebibytes) == (0.004, 2.0)
    assert (gateway.web_listeners, gateway.megabits_limit) == (10, 1.6)


async def test_a_plan_with_listeners_over_https_is_carried_as_far_as_gateways_let_them_in(world: World) -> None:
    async def ask(**plan: int) -> capacity_service_pb2.ForecastCapacityResponse:
        asked = capacity_service_pb2.ForecastCapacityRequest(**plan)
        return await world.call("lina", "ForecastCapacity", asked, operator=True)  # type: ignore[no-any-return]

    await world.relay()
    plain = await ask(rooms=1, listeners=1)
    assert not plain.HasField("over_https")
    told = await ask(rooms=1, listeners=1, over_https=5)
    assert (told.verdict, told.over_https.gateways) == (capacity_service_pb2.CAPACITY_VERDICT_MORE_GATEWAYS, 0)
    for gateway, more in (("gateway0000001", 60), ("gateway0000002", 40)):
        load = sessions_pb2.GatewayLoad(listener_limit=100, listeners_more=more, bits_limit=3_000_000)
        report = fleet_service_pb2.ReportListenersRequest(gateway_id=gateway, load=load)
        await world.stub.ReportListeners(report, metadata=world.as_service("gateway"))
    told = await ask(rooms=1, listeners=1, over_https=100)
    assert told.verdict == capacity_service_pb2.CAPACITY_VERDICT_CARRIED
    assert (told.usual_work, told.relays) == (plain.usual_work, plain.relays), "relays do nothing more"
    assert told.over_https.gateways == 2, "the line out carries 75 of the 100 that a gateway has places for"
    assert (told.over_https.megabits_per_second, told.over_https.cores) == (4.0, 0.01)
    told = await ask(rooms=3, listeners=1, over_https=40)
    assert (told.verdict, told.rooms_carried) == (capacity_service_pb2.CAPACITY_VERDICT_MORE_GATEWAYS, 2)
    assert (told.over_https.listeners, told.over_https.listeners_more) == (120, 100)
