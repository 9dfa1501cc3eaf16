"""One person alone floods no room with events, however fast a program calls."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from services.common.tasks import Background
from services.room_directory.app.pace import MOST_AT_ONCE
from services.room_directory.domain.errors import RateLimited
from services.room_directory.domain.seats import BoothRule, SessionState
from tests.unit.room_directory.guarded import LINA, OMAR, House

Call = Callable[[House, str, int], Awaitable[object]]


async def set_booth(house: House, room_id: str, time: int) -> None:
    await house.booths.set_booth(
        LINA, room_id, "ar", rule=BoothRule.FLOOR, floor_after_seconds=time % 5, floor_level_db=None
    )


CALLS: dict[str, Call] = {
    "open booth": lambda house, room_id, _: house.booths.open_booth(LINA, room_id, "ar"),
    "take over": lambda house, room_id, _: house.booths.take_over(LINA, room_id),
    "sit down": lambda house, room_id, time: house.booths.sit_in_booth(LINA, room_id, ("ar", "ru")[time % 2]),
    "set booth": set_booth,
    "set hearing": lambda house, room_id, time: house.booths.set_hearing(LINA, room_id, ("ru", "")[time % 2]),
    "set language": lambda house, room_id, time: house.stage.set_spoken_language(
        LINA, room_id, "lina", ("ar", "ru")[time % 2]
    ),
}


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with Background() as background:
        yield House(background)


async def in_booth(house: House) -> str:
    room_id = await house.open()
    for language in ("ar", "ru"):
        await house.booths.open_booth(LINA, room_id, language)
    await house.booths.sit_in_booth(LINA, room_id, "ar")
    await house.session(room_id, LINA, SessionState.UP)
    house.clock.advance(10)
    return room_id


@pytest.mark.parametrize("what", CALLS)
async def test_what_everybody_is_told_of_is_changed_twenty_times_at_once_and_then_twice_a_second(
    house: House, what: str
) -> None:
    room_id, call = await in_booth(house), CALLS[what]
    for time in range(MOST_AT_ONCE):
        await call(house, room_id, time)
    with pytest.raises(RateLimited) as refused:
        await call(house, room_id, 0)
    assert refused.value.retry_after_seconds == pytest.approx(0.5)
    await house.stage.raise_hand(OMAR, room_id, "Why?")
    house.clock.advance(0.5)
    await call(house, room_id, 1)
    with pytest.raises(RateLimited):
        await call(house, room_id, 0)


async def test_a_microphone_goes_on_so_often_too_and_off_always(house: House) -> None:
    room_id = await in_booth(house)
    for _ in range(MOST_AT_ONCE):
        await house.stage.set_own_mute(LINA, room_id, muted=True)
        await house.stage.set_own_mute(LINA, room_id, muted=False)
    for _ in range(MOST_AT_ONCE):
        await house.stage.set_own_mute(LINA, room_id, muted=True)
    with pytest.raises(RateLimited):
        await house.stage.set_own_mute(LINA, room_id, muted=False)
    house.clock.advance(0.5)
    assert not (await house.stage.set_own_mute(LINA, room_id, muted=False)).stage["lina"].muted


@pytest.mark.parametrize("what", sorted(CALLS.keys() - {"sit down"}))
async def test_a_call_that_changes_nothing_tells_nobody(house: House, what: str) -> None:
    room_id, call = await in_booth(house), CALLS[what]
    await call(house, room_id, 0)
    live = house.rooms.get(room_id)
    assert live is not None
    revision = live.room.revision
    await call(house, room_id, 0)
    assert live.room.revision == revision


async def test_who_sits_where_they_sit_already_tells_nobody(house: House) -> None:
    room_id = await in_booth(house)
    live = house.rooms.get(room_id)
    assert live is not None
    revision = live.room.revision
    await house.booths.sit_in_booth(LINA, room_id, "ar")
    assert live.room.revision == revision
