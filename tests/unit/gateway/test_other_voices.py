"""Gateways tell each other who speaks over HTTPS, and forget those that tell nothing any more."""

import asyncio

from majlis.gateway.v1 import between_gateways_pb2 as pb

from services.common.tasks import Background
from services.gateway.media.other_voices import HOLD_SECONDS, MOST_GATEWAYS, MOST_VOICES, TELL_SECONDS, Voices
from tests.support.fake_bus import FakeBus

ROOM, ANNA, BORIS = "room000000000001", "anna000000000001", "boris00000000001"
HERE, THERE = "gateway000000001", "gateway000000002"


def told(gateway_id: str, **members: int) -> pb.VoicesTold:
    voices = [pb.Voice(room_id=ROOM, user_id=user_id, member=member) for user_id, member in members.items()]
    return pb.VoicesTold(gateway_id=gateway_id, voices=voices)


async def test_who_begins_and_ends_elsewhere_is_known_and_told_once() -> None:
    bus, changes = FakeBus(), list[str]()
    voices = Voices(bus, HERE, dict)
    voices.changed = lambda _room_id, user_id: changes.append(user_id)
    await voices.follow()
    await bus.publish(told(THERE, **{ANNA: 7}))
    await bus.publish(told(THERE, **{ANNA: 7}))
    assert (voices.member(ROOM, ANNA), voices.member(ROOM, BORIS), changes) == (7, None, [ANNA])
    await bus.publish(told(THERE))
    assert (voices.member(ROOM, ANNA), changes) == (None, [ANNA, ANNA])


async def test_a_gateway_that_tells_nothing_any_more_is_forgotten_with_its_voices() -> None:
    bus, changes = FakeBus(), list[str]()
    voices = Voices(bus, HERE, dict)
    voices.changed = lambda _room_id, user_id: changes.append(user_id)
    await voices.follow()
    await bus.publish(told(THERE, **{ANNA: 7}))
    async with Background() as background:
        background.spawn("told", voices.run)
        await asyncio.sleep(HOLD_SECONDS - 1)
        assert voices.is_up(THERE)
        await asyncio.sleep(1 + TELL_SECONDS)
    assert (voices.is_up(THERE), voices.member(ROOM, ANNA), changes) == (False, None, [ANNA, ANNA])


async def test_who_begins_here_is_told_at_once() -> None:
    bus, here = FakeBus(), dict[tuple[str, str], int]()
    voices = Voices(bus, HERE, lambda: here)
    async with Background() as background:
        background.spawn("told", voices.run)
        await asyncio.sleep(0.3)
        here[ROOM, ANNA] = 7
        voices.note(ROOM, ANNA)
        await asyncio.sleep(0.2)
    assert [each.member for each in bus.of_type(pb.VoicesTold)[-1].voices] == [7]


async def test_a_flood_of_gateways_and_voices_is_bounded_and_those_known_are_still_heard() -> None:
    bus = FakeBus()
    voices = Voices(bus, HERE, dict)
    await voices.follow()
    await bus.publish(told(THERE))
    for number in range(MOST_GATEWAYS + 10):
        await bus.publish(told(f"ghost{number:011d}"))
    assert not voices.is_up(f"ghost{MOST_GATEWAYS + 9:011d}")
    await bus.publish(told(THERE, **{f"user{number:012d}": number for number in range(MOST_VOICES + 1)}))
    assert voices.member(ROOM, f"user{1:012d}") == 1
    assert voices.member(ROOM, f"user{MOST_VOICES:012d}") is None
