"""Room on relays for newcomers, and for those who had it before."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.common.tasks import Background
from services.programme.work import Limits
from services.room_directory.domain.errors import RoomFull
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.people import Actor
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.seats import MediaKind
from tests.unit.room_directory.guarded import LINA, OMAR, RELAY, House

LIMITS = Limits(usual=500, sending=500)
"""For six listeners of one room while another lives there, two of whom are in."""


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with Background() as background:
        yield House(background)


async def open_beside(house: House, *others: str) -> str:
    room_id = await house.open()
    await house.report_load(limits=LIMITS, carried=frozenset((each, "floor") for each in (room_id, *others)))
    house.clock.advance(1)
    return room_id


async def come_in(house: House, room_id: str, name: str) -> None:
    await house.seats.join_room(Actor(name), room_id, "", without_permit=False)


async def test_a_room_that_has_its_share_of_a_fleet_with_others_lets_no_newcomer_in(house: House) -> None:
    room_id = await open_beside(house, "other")
    for name in ("three", "four", "five", "six"):
        await come_in(house, room_id, name)
    with pytest.raises(RoomFull):
        await come_in(house, room_id, "seven")
    live = house.rooms.get(room_id)
    assert live is not None
    assert "seven" not in live.room.seats


async def test_who_has_a_seat_or_comes_back_is_no_newcomer_to_a_rooms_share(house: House) -> None:
    room_id = await open_beside(house, "other")
    for name in ("three", "four", "five", "six"):
        await come_in(house, room_id, name)
    await house.seats.join_room(OMAR, room_id, "", without_permit=False)
    await house.seats.leave_room(OMAR, room_id, 0)
    await come_in(house, room_id, "seven")
    await house.seats.join_room(OMAR, room_id, "", without_permit=False)


async def test_alone_on_the_fleet_a_room_may_have_all_that_newcomers_may(house: House) -> None:
    room_id = await open_beside(house)
    for name in ("three", "four", "five", "six", "seven"):
        await come_in(house, room_id, name)


async def test_people_hear_through_the_relay_near_the_gateway_that_they_came_by(house: House) -> None:
    room_id = await house.open()
    for name, region in (("nearrelay0", "eu-west"), ("farrelay00", "us-east")):
        await house.fleet.on_load(RelayLoadState(name, "boot", f"{name}:1", region=region))
    for name, region, relay_id in (("three", "us-east", "farrelay00"), ("four", "eu-west", "nearrelay0")):
        await house.seats.join_room(Actor(name, region=region), room_id, "", without_permit=False)
        live = house.rooms.get(room_id)
        assert live is not None
        assert live.room.seats[name].relay_id == relay_id


async def test_whoever_interprets_is_promised_the_work_of_their_channel_where_the_stage_is(house: House) -> None:
    room_id = await house.open()
    await house.booths.open_booth(LINA, room_id, "ar")
    reserved = house.fleet.relays[RELAY].reserved
    assert not reserved.awaits((room_id, "ar"))
    await house.booths.sit_in_booth(LINA, room_id, "ar")
    assert reserved.awaits((room_id, "ar"))


async def test_whoever_asks_for_a_language_is_promised_its_channel(house: House) -> None:
    room_id = await house.open()
    await house.booths.open_booth(LINA, room_id, "ar")
    await house.seats.get_media_permit(OMAR, room_id, MediaKind.AUDIENCE, Wish("ar"))
    assert house.fleet.relays[RELAY].reserved.awaits((room_id, "ar"))
