"""Listening over HTTPS in few bits: another channel, long frames as they are, and pieces three times as long."""

from itertools import pairwise

import pytest

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import bus
from tests.integration.gateway.test_listen import VOICE, floor, listening, wishes
from tests.support.fake_bus import eventually
from tests.support.programme_frames import PlayedProgramme

__all__ = ["bus", "floor", "wishes"]


def said(number: int) -> bytes:
    """60 ms of speech coding in wide band."""
    return b"\x58" + number.to_bytes(3, "big") + VOICE


@pytest.mark.parametrize("ending", ["webm", "mp4", "ogg"])
async def test_long_frames_come_as_they_are_and_without_a_hole(origin: Origin, bus: Bus, ending: str) -> None:
    few = PlayedProgramme(bus, ROOM, "thrift", frame_samples=2880)
    async with few.speaking(said), listening(origin, f"/listen/{ROOM}.{ending}?thrift=1") as stream:
        assert stream.status == 200
        await stream.read_for(5.0)
    spoken = [each for each in stream.packets() if each.endswith(VOICE)]
    assert len(spoken) > 40
    first = int.from_bytes(spoken[0][1:4], "big")
    assert spoken == [said(number) for number in range(first, first + len(spoken))], "each once, bit for bit"
    steps = {round(after - before, 3) for (before, _), (after, _) in pairwise(stream.placed())}
    assert steps == {0.06}, "without a hole"


async def test_who_saves_data_wants_a_channel_of_its_own_and_others_stay_on_theirs(
    origin: Origin, floor: PlayedProgramme, wishes: list[list[str]]
) -> None:
    async with listening(origin), listening(origin, f"/listen/{ROOM}/floor.webm?thrift=1"):
        await eventually(lambda: any(set(each) == {f"{ROOM}/floor", f"{ROOM}/thrift"} for each in wishes))


@pytest.mark.parametrize("query", ["thrift=yes", "thrift=", "thrift=1&thrift=1", "thrifty=1"])
async def test_a_query_that_says_nothing_is_refused_with_what_it_may_say(origin: Origin, query: str) -> None:
    async with listening(origin, f"/listen/{ROOM}.webm?{query}") as stream:
        assert stream.status == 400
