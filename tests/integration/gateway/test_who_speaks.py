"""Readers whose sound does not name its speakers ask who speaks: a real bus, frames as a home relay tells them."""

import asyncio

from majlis.programme.v1 import programme_pb2
from majlis.room_directory.v1 import room_events_pb2

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, BORIS, bus, stream
from tests.integration.gateway.test_listen import listening, said
from tests.support.fake_bus import eventually
from tests.support.programme_frames import PlayedProgramme
from tests.support.streams import EventStream

__all__ = ["bus"]

ASKING = f"/events/{ROOM}?speakers=1"
MEMBER = 77
"""Whom the frames of a played programme name."""


async def told(events: EventStream) -> list[int]:
    members: list[int] = (await events.until("speakers")).data["speakers"].get("members", [])
    return members


async def test_who_asks_is_told_who_speaks_and_that_they_stopped_and_nobody_else_is(origin: Origin, bus: Bus) -> None:
    floor = PlayedProgramme(bus, ROOM)
    async with stream(origin, path=ASKING) as asking, stream(origin, BORIS) as other:
        async with asyncio.timeout(5), floor.speaking(said):
            assert await told(asking) == [MEMBER]
            async with stream(origin, BORIS, ASKING) as later:
                assert await told(later) == [MEMBER], "at once, not only when it changes"
        async with asyncio.timeout(3):
            assert await told(asking) == []
        origin.directory.revision += 1
        await bus.publish(room_events_pb2.MediaMoved(room_id=ROOM, revision=origin.directory.revision))
        seen: list[str] = []
        while "media_moved" not in seen:
            event = await other.next()
            assert event is not None
            seen.append(event.name)
        assert "speakers" not in seen


async def test_the_floor_is_wanted_while_somebody_asks_or_listens_and_no_longer(origin: Origin, bus: Bus) -> None:
    wishes: list[list[str]] = []

    async def take(wanted: programme_pb2.Wanted) -> None:
        wishes.append([f"{each.room_id}/{each.name}" for each in wanted.channels])

    await bus.subscribe(programme_pb2.Wanted, take)
    async with stream(origin, path=ASKING):
        await eventually(lambda: wishes[-1:] == [[f"{ROOM}/floor"]])
        async with listening(origin) as heard:
            await heard.chunk()
        await asyncio.sleep(4.5)
        assert wishes[-1] == [f"{ROOM}/floor"], "who stops listening takes nothing from who asks"
    await eventually(lambda: wishes[-1] == [])


async def test_what_is_asked_strangely_is_refused_with_the_reason(origin: Origin) -> None:
    refused = await origin.client.get(f"/events/{ROOM}?speakers=all", headers=origin.bearer(ANNA))
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
