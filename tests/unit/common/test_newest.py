"""Of each sender the newest message waits, and a flood of senders that nobody knows waits for nothing."""

import asyncio

from services.common.bus.newest import MOST_UNKNOWN, Newest


async def test_of_a_sender_only_what_it_told_last_is_handled() -> None:
    waiting = Newest(lambda _: True)
    for number in range(1_000):
        assert waiting.put("relay1", "subject", b"%d" % number)
    assert waiting.put("relay2", "subject", b"other")
    assert len(waiting) == 2
    assert (await waiting.take(), await waiting.take()) == (("subject", b"999"), ("subject", b"other"))


async def test_those_known_are_heard_under_twenty_thousand_that_are_made_up() -> None:
    waiting = Newest(lambda sender: sender == "relay")
    kept = [waiting.put(f"madeup{number}", "subject", b"") for number in range(20_000)]
    assert sum(kept) == MOST_UNKNOWN
    assert waiting.put("relay", "subject", b"real")
    taken = [await waiting.take() for _ in range(len(waiting))]
    assert taken[-1] == ("subject", b"real")
    assert waiting.put("madeup20001", "subject", b""), "whoever waited has been handled"


async def test_who_waits_for_a_message_has_it_when_it_comes() -> None:
    waiting = Newest(lambda _: False)
    taken = asyncio.ensure_future(waiting.take())
    await asyncio.sleep(0)
    waiting.put("relay", "subject", b"first")
    assert await taken == ("subject", b"first")
