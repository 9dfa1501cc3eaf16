"""What many calls give to one stream goes in few messages, none of them too large."""

import asyncio

from services.common.rpc.gathering import (
    ENOUGH,
    GATHER_SECONDS,
    MANY,
    MANY_WITHIN_SECONDS,
    MOST_GATHERED,
    MOST_GATHERED_BYTES,
    Gathering,
)


async def test_what_waits_goes_together_and_in_order() -> None:
    gathering: Gathering[int] = Gathering()
    for number in range(3):
        gathering.put(number)
    assert await gathering.take() == [0, 1, 2]
    assert len(gathering) == 0


async def test_who_takes_waits_for_the_first() -> None:
    gathering: Gathering[str] = Gathering()
    taking = asyncio.ensure_future(gathering.take())
    await asyncio.sleep(0)
    assert not taking.done()
    gathering.put("late")
    assert await taking == ["late"]


async def test_a_message_has_a_measure_and_what_is_larger_goes_alone() -> None:
    gathering: Gathering[str] = Gathering()
    half = MOST_GATHERED_BYTES // 2
    for name, size in (("a", half), ("b", half), ("c", 1), ("large", 10 * half), ("d", 1)):
        gathering.put(name, size)
    assert [await gathering.take() for _ in range(4)] == [["a", "b"], ["c"], ["large"], ["d"]]


async def test_a_message_holds_so_many_at_most() -> None:
    gathering: Gathering[int] = Gathering()
    for number in range(MOST_GATHERED + 1):
        gathering.put(number)
    assert len(await gathering.take()) == MOST_GATHERED
    assert await gathering.take() == [MOST_GATHERED]


async def after(seconds: float, gathering: Gathering[int], *numbers: int) -> None:
    await asyncio.sleep(seconds)
    for number in numbers:
        gathering.put(number)


async def busy() -> Gathering[int]:
    """One to which many just came, and from which the last message has just gone."""
    gathering: Gathering[int] = Gathering()
    for number in range(MANY):
        gathering.put(number)
    await gathering.take()
    return gathering


async def test_who_asks_one_call_after_the_other_does_not_wait_for_company() -> None:
    gathering: Gathering[int] = Gathering()
    for number in range(3 * MANY):
        await after(1.1 * MANY_WITHIN_SECONDS / MANY, gathering, number)
        began = asyncio.get_running_loop().time()
        assert await gathering.take() == [number]
        assert asyncio.get_running_loop().time() == began


async def test_while_many_come_those_of_a_moment_go_together() -> None:
    gathering = await busy()
    began = asyncio.get_running_loop().time()
    coming = asyncio.gather(*(after(share * GATHER_SECONDS, gathering, n) for n, share in enumerate((0.1, 0.5, 0.9))))
    assert await gathering.take() == [0, 1, 2]
    assert asyncio.get_running_loop().time() - began <= 1.01 * GATHER_SECONDS
    await coming


async def test_enough_of_them_go_at_once() -> None:
    gathering = await busy()
    began = asyncio.get_running_loop().time()
    coming = asyncio.ensure_future(after(0.1 * GATHER_SECONDS, gathering, *range(ENOUGH)))
    assert await gathering.take() == list(range(ENOUGH))
    assert asyncio.get_running_loop().time() - began < 0.2 * GATHER_SECONDS
    await coming


async def test_what_comes_a_moment_after_the_last_message_goes_at_once() -> None:
    gathering = await busy()
    await after(1.1 * GATHER_SECONDS, gathering, 1)
    began = asyncio.get_running_loop().time()
    assert await gathering.take() == [1]
    assert asyncio.get_running_loop().time() == began
