"""Wishes for channels: told each second and at once when they change, read strictly, held for a bounded time."""

import asyncio
from datetime import timedelta

import pytest
from majlis.programme.v1 import programme_pb2 as pb

from services.common.sight.metrics import Metrics
from services.programme.channels import Channel, ChannelKind
from services.programme.leases import Leases
from services.programme.wish_ear import WishEar
from services.programme.wishes import MOST_CHANNELS, Consumer, Wish, Wishes, WishRefused, read_wish
from tests.support.fake_bus import FakeBus
from tests.support.fake_clock import FakeClock

FLOOR = Channel("room000001", "floor")
ARABIC = Channel("room000001", "ar")
OTHER = Channel("room000002", "floor")


def wish(consumer: str, *channels: Channel, hold: float = 3.5) -> Wish:
    return Wish(consumer, Consumer.RELAY, frozenset(channels), hold)


def wanted(**changes: object) -> pb.Wanted:
    clock = FakeClock()
    message = pb.Wanted(consumer_id="relay00001", kind=pb.CONSUMER_KIND_RELAY)
    message.channels.add(room_id="room000001", name="floor", kind=pb.CHANNEL_KIND_FLOOR)
    message.told_at.FromDatetime(clock.now())
    message.wanted_until.FromDatetime(clock.now() + timedelta(seconds=3.5))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_a_channel_knows_what_it_carries_and_whom_it_mixes() -> None:
    assert [each.kind for each in (FLOOR, ARABIC)] == [ChannelKind.FLOOR, ChannelKind.LANGUAGE]
    assert FLOOR.mixes("")
    assert Channel("room000001", "thrift").mixes("")
    assert ARABIC.mixes("ar")
    assert not ARABIC.mixes("")
    assert not FLOOR.mixes("ar"), "an interpreter is never heard on the floor"


@pytest.mark.parametrize(("room", "name"), [("room", "floor"), ("room000001", ""), ("room000001", "a.b"), ("*", ">")])
def test_what_cannot_be_part_of_a_subject_is_no_channel(room: str, name: str) -> None:
    with pytest.raises(ValueError, match="no channel"):
        Channel(room, name)


async def test_what_is_told_is_read_as_it_was_meant() -> None:
    bus, clock = FakeBus(), FakeClock()
    wishes = Wishes(bus, Consumer.GATEWAY, "gateway0001", clock)
    wishes.want(FLOOR)
    wishes.want(ARABIC)
    await wishes.tell()
    (message,) = bus.of_type(pb.Wanted)
    assert read_wish(message) == Wish("gateway0001", Consumer.GATEWAY, frozenset({FLOOR, ARABIC}), 3.5)
    wishes.no_more(ARABIC)
    await wishes.tell()
    assert read_wish(bus.of_type(pb.Wanted)[1]).channels == {FLOOR}
    await wishes.give_up()
    assert not read_wish(bus.of_type(pb.Wanted)[2]).channels


async def test_a_channel_that_two_want_is_wanted_until_both_have_had_enough() -> None:
    bus, clock = FakeBus(), FakeClock()
    wishes = Wishes(bus, Consumer.GATEWAY, "gateway0001", clock)
    wishes.want(FLOOR)
    wishes.want(FLOOR)
    wishes.no_more(FLOOR)
    await wishes.tell()
    wishes.no_more(FLOOR)
    await wishes.tell()
    assert [read_wish(each).channels for each in bus.of_type(pb.Wanted)] == [{FLOOR}, frozenset()]


async def test_a_consumer_that_wants_too_much_tells_as_much_as_it_may() -> None:
    bus = FakeBus()
    wishes = Wishes(bus, Consumer.RELAY, "relay00001", FakeClock())
    for number in range(MOST_CHANNELS + 1):
        wishes.want(Channel(f"room{number:06}", "floor"))
    await wishes.tell()
    assert len(read_wish(bus.of_type(pb.Wanted)[0]).channels) == MOST_CHANNELS


async def test_who_wants_nothing_is_silent_once_it_has_said_so() -> None:
    bus = FakeBus()
    wishes = Wishes(bus, Consumer.RELAY, "relay00001", FakeClock())
    telling = asyncio.create_task(wishes.run())
    await asyncio.sleep(10)
    assert len(bus.of_type(pb.Wanted)) == 1
    wishes.want(FLOOR)
    await asyncio.sleep(10)
    assert len(bus.of_type(pb.Wanted)) > 9, "a wish is told again each second"
    wishes.no_more(FLOOR)
    await asyncio.sleep(0.5)
    told = len(bus.of_type(pb.Wanted))
    assert not read_wish(bus.of_type(pb.Wanted)[-1]).channels
    await asyncio.sleep(10)
    assert len(bus.of_type(pb.Wanted)) == told
    telling.cancel()


async def test_a_new_wish_is_told_without_waiting_for_the_next_second() -> None:
    class Outlet:
        def __init__(self) -> None:
            self.told: asyncio.Queue[int] = asyncio.Queue()

        async def publish(self, event: object) -> None:
            assert isinstance(event, pb.Wanted)
            self.told.put_nowait(len(event.channels))

    outlet = Outlet()
    wishes = Wishes(outlet, Consumer.RELAY, "relay00001", FakeClock())
    telling = asyncio.get_running_loop().create_task(wishes.run())
    try:
        assert await outlet.told.get() == 0
        wishes.want(FLOOR)
        assert await outlet.told.get() == 1
    finally:
        telling.cancel()


def test_clocks_that_differ_shorten_no_wish_and_none_holds_for_longer_than_the_contract_says() -> None:
    late = wanted()
    late.told_at.seconds -= 3600
    late.wanted_until.seconds -= 3600
    assert read_wish(late).hold_seconds == pytest.approx(3.5)
    greedy = wanted()
    greedy.wanted_until.seconds += 3600
    assert read_wish(greedy).hold_seconds == pytest.approx(3.5)
    over = wanted()
    over.wanted_until.CopyFrom(over.told_at)
    assert read_wish(over).hold_seconds == 0


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (wanted(consumer_id="no.id"), "junk"),
        (wanted(kind=0), "junk"),
        (wanted(kind=99), "junk"),
        (
            pb.Wanted(
                consumer_id="relay00001", kind=pb.CONSUMER_KIND_RELAY, channels=[pb.Channel(room_id="x", name="floor")]
            ),
            "junk",
        ),
        (
            pb.Wanted(
                consumer_id="relay00001", kind=pb.CONSUMER_KIND_RELAY, channels=[pb.Channel()] * (MOST_CHANNELS + 1)
            ),
            "too_many_channels",
        ),
    ],
)
async def test_junk_is_refused_counted_and_disturbs_no_other_wish(message: pb.Wanted, why: str) -> None:
    with pytest.raises(WishRefused):
        read_wish(message)
    metrics, bus, taken = Metrics("test"), FakeBus(), list[Wish]()
    await WishEar(bus, taken.append, metrics).start()
    bus.published.clear()
    for subscription in bus.subscriptions:
        await subscription.handler(message)
        await subscription.handler(wanted())
    assert [each.consumer_id for each in taken] == ["relay00001"]
    assert metrics.registry.get_sample_value("majlis_programme_wishes_refused_total", {"why": why}) == 1


def test_a_channel_is_wanted_until_the_last_wish_for_it_is_too_old() -> None:
    leases = Leases()
    assert leases.take(wish("relay00001", FLOOR), 0.0) == {FLOOR}
    assert leases.take(wish("canary0001", FLOOR, OTHER), 2.0) == {OTHER}
    assert leases.expire(3.4) == set()
    assert leases.expire(3.5) == set(), "the canary still wants it"
    assert leases.wanted(FLOOR)
    assert leases.expire(5.5) == {FLOOR, OTHER}
    assert not leases.wanted(FLOOR)
    assert leases.consumers == 0


def test_a_wish_takes_the_place_of_the_one_before_and_an_empty_one_ends_it() -> None:
    leases = Leases()
    leases.take(wish("relay00001", FLOOR, ARABIC), 0.0)
    assert sorted(leases.names("room000001")) == ["ar", "floor"]
    assert leases.take(wish("relay00001", FLOOR, OTHER), 1.0) == {ARABIC, OTHER}
    assert leases.take(wish("relay00001", FLOOR, OTHER), 2.0) == set()
    assert leases.take(wish("relay00001"), 2.0) == {FLOOR, OTHER}
    assert leases.names("room000001") == []


def test_one_consumer_too_many_is_refused_and_those_who_are_known_go_on() -> None:
    leases = Leases(most_consumers=2)
    leases.take(wish("relay00001", FLOOR), 0.0)
    leases.take(wish("relay00002", FLOOR), 0.0)
    with pytest.raises(WishRefused) as refused:
        leases.take(wish("relay00003", OTHER), 0.0)
    assert refused.value.why == "too_many_consumers"
    assert not leases.wanted(OTHER)
    assert leases.take(wish("relay00001", OTHER), 0.0) == {OTHER}
    leases.expire(3.5)
    assert leases.take(wish("relay00003", OTHER), 3.5) == {OTHER}


async def test_what_a_consumer_tells_it_does_not_hear_from_itself() -> None:
    bus, taken = FakeBus(), list[Wish]()
    await WishEar(bus, taken.append, Metrics("test"), own_id="relay00001").start()
    for consumer in ("relay00001", "relay00002"):
        await bus.publish(wanted(consumer_id=consumer))
    assert [each.consumer_id for each in taken] == ["relay00002"]


async def test_a_consumer_for_whom_there_is_no_room_is_counted_and_the_others_are_served() -> None:
    metrics, bus, leases = Metrics("test"), FakeBus(), Leases(most_consumers=1)

    def take(wished: Wish) -> None:
        leases.take(wished, 0.0)

    await WishEar(bus, take, metrics).start()
    for consumer in ("relay00001", "relay00002", "relay00001"):
        await bus.publish(wanted(consumer_id=consumer))
    refused = metrics.registry.get_sample_value
    assert refused("majlis_programme_wishes_refused_total", {"why": "too_many_consumers"}) == 1
    assert leases.wanted(FLOOR)
