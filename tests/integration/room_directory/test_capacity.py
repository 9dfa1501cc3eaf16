"""The fleet takes rooms and people as far as its relays' work goes, and tells operators how far that is."""

import asyncio
from typing import Any

from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import capacity_service_pb2 as pb
from majlis.room_directory.v1 import ladder_service_pb2

from services.programme.work import MIXED_SHARE
from tests.integration.room_directory.world import FakeRelay, World, refusal

COSTS = relay_pb.WorkCosts(
    packet=1_000, microphone=1_000, decode=2_000, encode_least=6_000, encode_best=50_000, passed=2_000, join=1_000_000,
    packet_milliseconds=20, programme_bits_per_second=32_000,
)  # fmt: skip
"""A channel takes as much as 500 packets a second while it mixes, and as much as 100 where it is handed on."""


def carries(rooms: int) -> dict[str, Any]:
    """The load of a relay without anybody whose programme threads mix so many rooms for newcomers."""
    limits = relay_pb.WorkLimits(usual=100_000, sending=100_000, programme=rooms * 500 * 10 // 9 + 60, together=200_000)
    return {"packets_per_second_budget": 100_000, "promised": relay_pb.Work(), "limits": limits, "costs": COSTS}


async def say(world: World, relay: FakeRelay, load: dict[str, Any]) -> None:
    relay.load = load
    known = world.parts.app.fleet.relays
    await world.until(lambda: known[relay.relay_id].limits.programme == load["limits"].programme)


async def ask(world: World, **plan: int) -> pb.ForecastCapacityResponse:
    told = await world.call("olga", "ForecastCapacity", pb.ForecastCapacityRequest(**plan), operator=True)
    assert isinstance(told, pb.ForecastCapacityResponse)
    return told


async def test_rooms_are_begun_as_far_as_the_work_of_two_relays_goes_and_again_when_there_is_more(world: World) -> None:
    first, second = await world.relay(), await world.relay("relay00001")
    await say(world, first, carries(2))
    await say(world, second, carries(1))
    assert (await ask(world, rooms=4, listeners=2)).rooms_carried == 3
    rooms = [(await world.create(f"lina{number}")).room_id for number in range(3)]
    assert await refusal(world.create("sara")) == "NO_RELAY"
    homes = {world.parts.rooms.get(room).room.home_relay_id for room in rooms}  # type: ignore[union-attr]
    assert homes == {"relay00000", "relay00001"}
    for number, room in enumerate(rooms):
        # Who has a room has its stage, and those who come to it cost no further mixer.
        assert (await world.join(f"lina{number}", room)).permit.permit
        assert (await world.join(f"omar{number}", room)).permit.permit
    assert await refusal(world.create("sara")) == "NO_RELAY"
    await say(world, second, carries(2))
    assert (await world.create("sara")).room_id


async def test_operators_learn_what_more_rooms_would_take_and_whether_they_fit(world: World) -> None:
    relay = await world.relay()
    await say(world, relay, carries(10))
    told = await ask(world, rooms=10, listeners=10)
    assert told.verdict == pb.CAPACITY_VERDICT_CARRIED
    assert told.usual_work == 10 * (10 * 50 + 50 + round(MIXED_SHARE * 500 + (1 - MIXED_SHARE) * 100))
    assert (told.sending_work, told.programme_work) == (10 * 550, 10 * 500)
    assert round(told.megabits_per_second, 1) == 5.6
    assert (told.relays, told.rooms_carried) == (1, 10)
    assert [(each.relay_id, each.accepting, each.small_rooms_more) for each in told.fleet] == [("relay00000", True, 10)]
    told = await ask(world, rooms=25, listeners=10)
    assert (told.verdict, told.rooms_carried, told.relays) == (pb.CAPACITY_VERDICT_MORE_RELAYS, 10, 3)
    assert (await ask(world, rooms=1, listeners=10, languages=20)).verdict == pb.CAPACITY_VERDICT_BIGGER_RELAYS


async def test_a_forecast_counts_what_goes_on_and_asks_nothing_of_relays_that_leave(world: World) -> None:
    relay = await world.relay()
    await say(world, relay, carries(2))
    await world.create("lina")
    assert (await ask(world, rooms=2, listeners=1)).rooms_carried == 1
    relay.load |= {"draining": True}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].draining)
    told = await ask(world, rooms=1, listeners=1)
    assert told.verdict == pb.CAPACITY_VERDICT_NO_RELAY
    assert [each.accepting for each in told.fleet] == [False]


async def test_nobody_but_operators_may_ask(world: World) -> None:
    assert await refusal(world.call("omar", "ForecastCapacity", pb.ForecastCapacityRequest())) == "CALLER_NOT_ALLOWED"


async def test_an_operators_token_that_may_see_the_fleet_is_told_of_it_and_no_other_token(world: World) -> None:
    await say(world, await world.relay(), carries(10))
    asked = pb.ForecastCapacityRequest(rooms=1, listeners=1)
    told = await world.call("olga", "ForecastCapacity", asked, scopes=("fleet",))
    assert told.verdict == pb.CAPACITY_VERDICT_CARRIED
    for scopes in (("listen", "speak", "rooms", "invite", "profile"), ()):
        assert await refusal(world.call("olga", "ForecastCapacity", asked, scopes=scopes)) == "CALLER_NOT_ALLOWED"


async def test_a_room_to_come_is_told_the_part_of_the_fleet_that_one_room_gets_beside_others(world: World) -> None:
    relay = await world.relay()
    await say(world, relay, carries(100))
    alone = await ask(world, rooms=1, listeners=1_500)
    assert (alone.rooms_carried, alone.listeners_carried) == (1, 1_500)
    assert [each.listeners_more for each in alone.fleet] == [1_794], "nobody is there yet: it would be a new room's"
    relay.load |= {"rooms": [relay_pb.RoomLoad(room_id="r" * 16, listeners=1)]}
    await world.until(lambda: bool(world.parts.app.fleet.relays[relay.relay_id].carried))
    for _ in range(100):
        beside = await ask(world, rooms=1, listeners=1_500)
        if not beside.rooms_carried:
            break
        # A look at the whole fleet counts for a moment.
        await asyncio.sleep(0.05)
    assert (beside.rooms_carried, beside.listeners_carried) == (0, 100_000 * 6 // 10 // 50)
    assert [each.listeners_more for each in beside.fleet] == [1_800], "of the room that is there already"


async def test_what_newcomers_are_kept_from_is_told_beside_what_is_taken(world: World) -> None:
    relay = await world.relay()
    held = carries(10) | {"promised": relay_pb.Work(usual=1_000), "measured_work": 90_000, "done_work": 2_000}
    await say(world, relay, held | {"ladder_step": 7})
    (each,) = (await ask(world, rooms=1, listeners=1)).fleet
    assert (each.usual_work, each.held_work, each.listeners_more) == (2_000, 88_000, 0)
    assert each.fullness == 0.02
    seen = await world.call("olga", "InspectLadder", ladder_service_pb2.InspectLadderRequest(), operator=True)
    assert [(one.step, one.fullness) for one in seen.relays] == [(7, 0.02)]


async def test_a_room_is_not_said_to_carry_more_listeners_than_a_room_may_have(world: World) -> None:
    relay, plenty = await world.relay(), 1_000_000
    limits = relay_pb.WorkLimits(usual=plenty, sending=plenty, programme=plenty, together=plenty)
    await say(world, relay, carries(10) | {"packets_per_second_budget": plenty, "limits": limits})
    told = await ask(world, rooms=1, listeners=5_001)
    assert (told.rooms_carried, told.listeners_carried) == (0, 5_000)
    assert (await ask(world, rooms=1, listeners=5_000)).verdict == pb.CAPACITY_VERDICT_CARRIED
