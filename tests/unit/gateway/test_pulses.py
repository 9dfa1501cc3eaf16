"""What readers of a room get of its counts and faces, and how often."""

from services.gateway.watch.feed import Feed
from services.gateway.watch.pulses import PULSE_READERS, RAREST_PULSE
from tests.unit.gateway.test_feed import directory, feed, person, pulse

__all__ = ["directory", "feed"]


async def test_a_crowd_gets_its_counts_less_often_but_hands_and_faces_at_once(feed: Feed) -> None:
    readers = [person() for _ in range(2 * PULSE_READERS + 1)]
    for reader in readers:
        await feed.join(reader, None)
        await reader.take()
    for count in range(1, 7):
        await feed.take(pulse(10, listener_count=count))
    assert len(await readers[-1].take()) == 2  # the first one, and every third after it
    await feed.take(pulse(10, listener_count=6, hand_count=1))
    assert len(await readers[-1].take()) == 1
    await feed.take(pulse(10, hand_count=1, audience_sample=[{"user_id": "user000000000007"}]))
    assert len(await readers[-1].take()) == 1


async def test_a_room_in_which_nothing_moves_says_so_every_fifth_time_and_what_moves_is_told_at_once(
    feed: Feed,
) -> None:
    reader = person()
    await feed.join(reader, None)
    await reader.take()
    for _ in range(1 + 2 * RAREST_PULSE):
        await feed.take(pulse(10, listener_count=3, web_listener_count=1))
    assert len(await reader.take()) == 3
    for moved in ({"listener_count": 4}, {"listener_count": 4, "web_listener_count": 2}, {"hand_count": 1}):
        await feed.take(pulse(10, **moved))
        assert len(await reader.take()) == 1, moved


async def test_a_newcomer_gets_the_newest_sample_although_the_last_pulse_had_none(feed: Feed) -> None:
    first = person()
    await feed.join(first, None)
    sample = [{"user_id": "user000000000007"}]
    await feed.take(pulse(10, listener_count=1, audience_sample=sample))
    await feed.take(pulse(10, listener_count=2))
    late = person("user000000000002")
    await feed.join(late, None)
    frames = await late.take()
    assert [frame.name for frame in frames] == ["snapshot", "pulse", "own_hand", "stream_status"]
    assert b"user000000000007" in frames[1].sse
    assert b'"listenerCount":2' in frames[1].sse
