"""What is spoken into a relay comes out of it, to the right people, and to nobody else."""

import asyncio

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as pb

from tests.support.relay_fleet import Fleet
from tests.support.voices import power_at, rms


async def test_a_listener_hears_the_tone_that_the_speaker_sends(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002")
    listener = await fleet.listen(relay)
    await asyncio.sleep(1.0)
    listener.client.ear.forget()
    await asyncio.sleep(1.0)
    assert power_at(listener.client.ear.heard, 440.0) > 0.9
