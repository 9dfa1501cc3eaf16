"""What many calls give to one stream goes in few messages, none of them too large."""

import asyncio

from services.common.rpc.gathering import MOST_GATHERED, MOST_GATHERED_BYTES, Gathering


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
