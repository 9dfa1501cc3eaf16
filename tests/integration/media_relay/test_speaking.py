"""Microphones that gateways bring are on the stage like any other: heard, muted, taken over, ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from majlis.media_relay.v1 import uplink_service_pb2 as pb
from majlis.media_relay.v1 import uplink_service_pb2_grpc as pb_grpc
from majlis.media_relay.v1.media_relay_service_pb2 import (
    SEAT_ACTION_END,
    SEAT_ACTION_MUTE,
    SEAT_ACTION_REPLACE,
    SEAT_ACTION_UNMUTE,
)
from majlis.room_directory.v1 import sessions_pb2

from services.common.rpc.client import RemoteError, ServiceChannel, raise_for
from services.media_relay.build import RelayService
from tests.support.fake_bus import eventually
from tests.support.hearing import hear, until_heard
from tests.support.opus_voice import spoken
from tests.support.relay_fleet import Fleet
from tests.support.voices import power_at, rms

OTHER = "user000002"


class Microphone:
    """Somebody who speaks over a gateway."""

    def __init__(self, stub: "pb_grpc.UplinkServiceAsyncStub", permit: str) -> None:
        self.stub = stub
        self.stream: Any = stub.Speak(pb.SpeakRequest(permit=permit))
        self.session_id = ""

    async def told(self) -> pb.SpeakResponse:
        async with asyncio.timeout(5):
            answer = await self.stream.read()
        assert answer is not grpc.aio.EOF
        return answer  # type: ignore[no-any-return]

    async def say(self, hertz: int, milliseconds: int = 20) -> None:
        async for due in spoken(hertz, milliseconds):
            sounds = [pb.Sound(timestamp=at, opus=opus) for at, opus in due]
            await self.stub.PutSound(pb.PutSoundRequest(session_id=self.session_id, sounds=sounds))


@asynccontextmanager
async def microphone(fleet: Fleet, relay: RelayService, hertz: int = 0, **claims: Any) -> AsyncIterator[Microphone]:
    """Somebody on stage over a gateway, who says a tone if it is given."""
    channel = ServiceChannel("gateway", f"127.0.0.1:{relay.server.port}", relay.settings)
    permit = fleet.directory.permit(relay, "stage", **{"sub": OTHER, **claims})
    made = Microphone(pb_grpc.UplinkServiceStub(channel.channel), permit)
    opened = (await made.told()).opened
    made.session_id = opened.session_id
    task = asyncio.ensure_future(made.say(hertz)) if hertz else None
    try:
        yield made
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, RemoteError):
                await task
        made.stream.cancel()
        await channel.close()


async def test_the_audience_and_the_stage_hear_who_speaks_over_a_gateway(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    other = await fleet.speak(relay, 1000.0, slots=1, sub="user000003", member=33)
    async with microphone(fleet, relay, 440, member=22) as speaker:
        # Mixed with the other, who is as loud.
        await until_heard(listener.client.ear, 440.0, 20, share=0.2)
        await until_heard(other.client.ear, 440.0, 20)
        assert power_at(await hear(other.client.ear), 440.0) > 0.9, "in a slot of its own, and never mixed"
        await eventually(lambda: fleet.directory.told(speaker.session_id) == ["opened", "connected"])
        counts = relay.relay.sessions.room_counts()
        assert [(count.listeners, count.stage) for count in counts] == [(1, 2)]


async def test_a_mute_is_in_force_at_once_and_told(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    async with microphone(fleet, relay, 440, member=22) as speaker:
        await until_heard(listener.client.ear, 440.0, 20)
        await fleet.change(relay, SEAT_ACTION_MUTE, 1, user=OTHER)
        assert (await speaker.told()).muted.muted
        await asyncio.sleep(0.5)
        assert rms(await hear(listener.client.ear, 0.5)) < 0.01
        await fleet.change(relay, SEAT_ACTION_UNMUTE, 1, user=OTHER)
        assert not (await speaker.told()).muted.muted
        await until_heard(listener.client.ear, 440.0, 20)


async def test_who_is_removed_is_told_why_and_says_nothing_more(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    async with microphone(fleet, relay, member=22) as speaker:
        await fleet.change(relay, SEAT_ACTION_END, 2, user=OTHER)
        assert (await speaker.told()).ended.cause == sessions_pb2.SESSION_CAUSE_SEAT_ENDED
        with pytest.raises(RemoteError) as refused:
            await speaker.stub.PutSound(pb.PutSoundRequest(session_id=speaker.session_id))
        assert refused.value.reason == "SESSION_NOT_FOUND"
        await eventually(lambda: fleet.directory.told(speaker.session_id)[-1:] == ["ended: seat_ended"])


async def test_a_session_by_udp_takes_the_place_of_one_over_a_gateway_and_the_other_way_round(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    async with microphone(fleet, relay, 440, member=22) as speaker:
        await until_heard(listener.client.ear, 440.0, 20)
        await fleet.change(relay, SEAT_ACTION_REPLACE, 2, user=OTHER)
        await fleet.speak(relay, 700.0, slots=0, sub=OTHER, member=22, epoch=2)
        while not (told := await speaker.told()).HasField("ended"):
            pass
        assert told.ended.cause == sessions_pb2.SESSION_CAUSE_SEAT_ENDED
        await until_heard(listener.client.ear, 700.0, 20)
    await fleet.change(relay, SEAT_ACTION_REPLACE, 3, user=OTHER)
    async with microphone(fleet, relay, 440, member=22, epoch=3):
        await until_heard(listener.client.ear, 440.0, 20)


async def test_a_gateway_that_goes_takes_its_speakers_with_it(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    async with microphone(fleet, relay, member=22) as speaker:
        session_id = speaker.session_id
        assert relay.relay.sessions.get(session_id) is not None
    for _ in range(100):
        await asyncio.sleep(0.05)
        if relay.relay.sessions.get(session_id) is None:
            return
    raise AssertionError("the session is still there")


async def test_a_permit_opens_one_session_and_none_for_the_audience(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    channel = ServiceChannel("gateway", f"127.0.0.1:{relay.server.port}", relay.settings)
    stub = pb_grpc.UplinkServiceStub(channel.channel)
    permit = fleet.directory.permit(relay, "stage")
    stream: Any = stub.Speak(pb.SpeakRequest(permit=permit))
    assert (await stream.read()).HasField("opened")
    for shown, reason in ((permit, "PERMIT_SPENT"), (fleet.directory.permit(relay), "PERMIT_INVALID")):
        refused: Any = stub.Speak(pb.SpeakRequest(permit=shown))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await refused.read()
        assert raise_for(error.value).reason == reason
    stream.cancel()
    await channel.close()


@pytest.mark.parametrize("milliseconds", [10, 60])
async def test_other_lengths_of_packets_are_heard_too(fleet: Fleet, milliseconds: int) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    async with microphone(fleet, relay, member=22) as speaker:
        task = asyncio.ensure_future(speaker.say(440, milliseconds))
        await until_heard(listener.client.ear, 440.0, 20)
        assert power_at(await hear(listener.client.ear), 440.0) > 0.9
        task.cancel()
