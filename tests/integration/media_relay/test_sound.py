"""What is spoken into a relay comes out of it, to the right people, and to nobody else."""

import asyncio
import contextlib
import socket
import time

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1.media_relay_service_pb2 import (
    SEAT_ACTION_END,
    SEAT_ACTION_MUTE,
    SEAT_ACTION_REPLACE,
    SEAT_ACTION_UNMUTE,
)

from services.media_relay.domain.ladder import Shape
from tests.support.hearing import hear, until_heard
from tests.support.relay_fleet import USER, Fleet, room_part
from tests.support.rtc_client import Ear
from tests.support.voices import power_at, rms

OTHER = "user000002"


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


async def test_a_listener_hears_the_tone_that_the_speaker_sends(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    heard = await hear(listener.client.ear)
    assert power_at(heard, 440.0) > 0.9
    assert fleet.directory.told(listener.session_id) == ["opened", "connected"]


async def test_a_late_listener_hears_within_half_a_second_of_connecting(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    first = await fleet.listen(relay, sub="user000003")
    await until_heard(first.client.ear, 440.0)
    late = await fleet.listen(relay)
    assert await until_heard(late.client.ear, 440.0) < 0.5


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_over_ipv6_a_listener_hears_who_speaks_over_ipv4(fleet: Fleet) -> None:
    relay = await fleet.add_relay(bind=("127.0.0.1:0", "[::1]:0"))
    assert {host for host, _ in relay.addresses.udp} == {"127.0.0.1", "::1"}
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay, address="::1")
    await until_heard(listener.client.ear, 440.0)


async def test_longer_packets_carry_the_same_sound(fleet: Fleet) -> None:
    relay = await fleet.add_relay(audience_packet_ms="60")
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    before = relay.core.counters()["listener_packets_out"]
    assert power_at(await hear(listener.client.ear, 2.0), 440.0) > 0.9
    assert relay.core.counters()["listener_packets_out"] - before < 50, "a third of a hundred"


async def test_the_ladder_changes_packets_amid_a_talk_without_a_break(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    missing = relay.core.counters()["frames_missing"]
    for shape, most in (
        (Shape(20, 32_000, redundancy=False), 150),
        (Shape(40, 32_000, redundancy=False), 75),
        (Shape(60, 24_000, redundancy=False), 50),
        (Shape(60, 16_000, redundancy=False), 50),
        (Shape(20, 32_000), 150),
    ):
        relay.shedding.apply(shape)
        before = relay.core.counters()["listener_packets_out"]
        assert power_at(await hear(listener.client.ear, 2.0), 440.0) > 0.9
        assert relay.core.counters()["listener_packets_out"] - before < most
    assert relay.core.counters()["frames_missing"] == missing
    assert fleet.directory.told(listener.session_id) == ["opened", "connected"], "the same session all along"


async def test_on_stage_each_hears_the_other_and_nobody_themselves(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    low = await fleet.speak(relay, 300.0, sub=OTHER)
    high = await fleet.speak(relay, 800.0)
    await asyncio.sleep(1.0)
    for speaker, own, others in ((low, 300.0, 800.0), (high, 800.0, 300.0)):
        for ear in speaker.client.ears:
            ear.forget()
        await asyncio.sleep(1.0)
        heard = [ear.heard for ear in speaker.client.ears]
        sounding = [samples for samples in heard if rms(samples) > 0.02]
        assert len(sounding) == 1, "one other speaks, so one slot sounds"
        assert power_at(sounding[0], others) > 0.8
        assert power_at(sounding[0], own) < 0.05


async def test_an_ended_seat_hears_nothing_more(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    removed, staying = await fleet.listen(relay), await fleet.listen(relay, sub="user000003")
    await until_heard(removed.client.ear, 440.0)
    await fleet.change(relay, SEAT_ACTION_END, 2)
    counted = relay.core.counters()
    await asyncio.sleep(0.5)
    assert rms(await hear(removed.client.ear, 0.5)) < 0.005
    assert power_at(await hear(staying.client.ear, 0.5), 440.0) > 0.8
    assert counted["packets_out"] < relay.core.counters()["packets_out"]
    assert fleet.directory.told(removed.session_id)[-1] == "ended: seat_ended"


async def test_an_ended_speaker_is_not_heard_any_more(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    await fleet.change(relay, SEAT_ACTION_END, 2, user=OTHER)
    await asyncio.sleep(0.5)
    assert rms(await hear(listener.client.ear, 0.6)) < 0.005


async def test_a_muted_microphone_is_silent_although_it_goes_on_sending(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    await fleet.change(relay, SEAT_ACTION_MUTE, 1, user=OTHER)
    await asyncio.sleep(0.5)
    assert rms(await hear(listener.client.ear, 0.6)) < 0.005
    await fleet.change(relay, SEAT_ACTION_UNMUTE, 1, user=OTHER)
    assert await until_heard(listener.client.ear, 440.0) < 0.8


async def test_who_is_sent_to_the_audience_and_goes_on_sending_is_silent_when_the_order_is_answered(
    fleet: Fleet,
) -> None:
    relay = await fleet.add_relay()
    demoted = await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    await fleet.change(relay, SEAT_ACTION_REPLACE, 2, user=OTHER)
    assert "ended: seat_ended" not in fleet.directory.told(demoted.session_id)
    # What was under way when the order came still sounds for some tenths of a second.
    await asyncio.sleep(0.5)
    assert rms(await hear(listener.client.ear, 0.6)) < 0.005
    await fleet.change(relay, SEAT_ACTION_UNMUTE, 2, user=OTHER)
    assert rms(await hear(listener.client.ear, 0.6)) < 0.005


async def test_a_closed_stage_is_not_heard(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    part = room_part(relay.relay.relay_id, stage_closed=True)
    await fleet.owner(relay).ConfigureRooms(pb.ConfigureRoomsRequest(parts=[part]))
    await asyncio.sleep(0.5)
    assert rms(await hear(listener.client.ear, 0.6)) < 0.005


async def test_from_audience_to_stage_and_back_the_talk_goes_on(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listening = await fleet.listen(relay, epoch=1)
    await until_heard(listening.client.ear, 440.0)
    await fleet.change(relay, SEAT_ACTION_REPLACE, 2)
    speaking = await fleet.speak(relay, 900.0, epoch=2)
    paused = time.monotonic()
    gaps = [await _first_slot(speaking.client.ears, 440.0)]
    assert time.monotonic() - paused < 1.5
    assert power_at(await hear(listening.client.ear, 0.6), 900.0) < 0.05, "nobody hears themselves in the programme"
    await fleet.change(relay, SEAT_ACTION_REPLACE, 3)
    back = await fleet.listen(relay, epoch=3)
    gaps.append(await until_heard(back.client.ear, 440.0))
    assert max(gaps) < 0.5, gaps
    await asyncio.sleep(0.3)
    assert [info.session_id for info in await _sessions(fleet, USER)] == [back.session_id]


async def _first_slot(ears: list[Ear], hertz: float) -> float:
    """Waits until any slot sounds."""
    waits = [asyncio.ensure_future(until_heard(ear, hertz)) for ear in ears]
    done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    return done.pop().result()


async def _sessions(fleet: Fleet, user: str) -> list[pb.SessionInfo]:
    found = []
    async for page in fleet.owner(fleet.relays[0]).ListSessions(pb.ListSessionsRequest()):
        found += [info for info in page.sessions if info.user_id == user]
    return found
