"""Readers learn which relays of their room spare, once a change."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.common.tasks import Background
from services.gateway.domain.relays import SparingRelays
from services.gateway.watch.feed import Feed
from tests.unit.gateway.test_feed import ROOM, Directory, person
from tests.unit.gateway.uncaptioned import no_captions


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with Background() as background:
        feed = Feed(ROOM, Directory().fetch, 20, background, no_captions(background))
        yield feed
        feed.close()


async def test_readers_are_told_once_when_a_relay_of_the_room_spares_and_once_when_it_does_no_more(feed: Feed) -> None:
    reader, now = person(), asyncio.get_running_loop().time()
    await feed.join(reader, None)
    await reader.take()
    for _ in range(3):
        feed.tell_standing(now, (("relay00000001", 2),))
    (told,) = await reader.take()
    assert told.name == "stream_status"
    assert b'"sparing":[{"relayId":"relay00000001","ladderStep":2}]' in told.sse
    late = person("user000000000002")
    await feed.join(late, 10)
    assert b"relay00000001" in (await late.take())[-1].sse, "whoever comes later learns it with the stream"
    feed.tell_standing(now, ())
    (told,) = await reader.take()
    assert b"sparing" not in told.sse


def test_a_relay_spares_the_rooms_it_carries_until_it_says_that_it_is_well_again() -> None:
    relays = SparingRelays(limit=2)
    relays.note("relay00000002", 3, {"room000001"})
    relays.note("relay00000001", 1, {"room000001", "room000002"})
    assert relays.of("room000001") == (("relay00000001", 1), ("relay00000002", 3))
    assert relays.of("room000002") == (("relay00000001", 1),)
    relays.note("relay00000001", 0, {"room000001", "room000002"})
    assert relays.of("room000002") == ()
    for number in range(3, 6):
        relays.note(f"relay0000000{number}", 1, {"room000002"})
    assert len(relays.of("room000002")) == 2
