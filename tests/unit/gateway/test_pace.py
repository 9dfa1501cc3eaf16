"""Sound of an upload goes on no faster than it was said, whatever the line carries."""

import asyncio

from services.gateway.media.pace import Pace
from services.programme.sounds import Sound

RATE = 48_000


def sounds(first: float, seconds: float) -> list[Sound]:
    return [((round(first * RATE) + at * 960) % 2**32, b"sound") for at in range(round(seconds * 50))]


async def taken(pace: Pace, what: list[Sound]) -> tuple[float, int]:
    """How long that took, and how many packets went on."""
    began, count = asyncio.get_running_loop().time(), 0
    async for part in pace.parts(what):
        count += len(part)
    return asyncio.get_running_loop().time() - began, count


def paced() -> Pace:
    return Pace(asyncio.get_running_loop().time)


async def test_a_file_that_comes_whole_is_said_in_its_own_time_and_nothing_of_it_is_lost() -> None:
    pace = paced()
    seconds, count = await taken(pace, sounds(0, 20))
    assert 19 < seconds < 20
    assert count == 1000
    await pace.until_said()


async def test_sound_that_comes_as_it_is_said_is_not_held_up() -> None:
    pace = paced()
    for second in range(10):
        waited, _ = await taken(pace, sounds(second * 0.2, 0.2))
        assert waited < 0.001
        await asyncio.sleep(0.2)


async def test_what_comes_after_a_stall_goes_on_at_once() -> None:
    pace = paced()
    await taken(pace, sounds(0, 0.2))
    await asyncio.sleep(10)
    assert (await taken(pace, sounds(0.2, 5)))[0] < 0.001


async def test_a_leap_in_the_times_is_not_waited_for() -> None:
    pace = paced()
    await taken(pace, sounds(0, 0.2))
    assert (await taken(pace, sounds(3600, 0.2)))[0] < 0.001
    assert (await taken(pace, sounds(5, 0.2)))[0] < 0.001


async def test_times_that_come_round_go_on() -> None:
    pace = paced()
    seconds, count = await taken(pace, sounds(2**32 / RATE - 5, 10))
    assert 9 < seconds < 10
    assert count == 500
