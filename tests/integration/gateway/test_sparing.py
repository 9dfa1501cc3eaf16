"""Who watches a room learns by the bus which of its relays spare, and when they are well again."""

import asyncio
from typing import Any

from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad, RoomLoad

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import bus, stream
from tests.support.streams import EventStream

__all__ = ["bus"]


def load(step: int, room_id: str = ROOM, relay_id: str = "relay00000001") -> RelayLoad:
    rooms = [RoomLoad(room_id=room_id, listeners=3)]
    return RelayLoad(relay_id=relay_id, boot_id="boot000001", grpc_address="127.0.0.1:1", ladder_step=step, rooms=rooms)


async def sparing(events: EventStream) -> list[Any]:
    """Of the next status that comes."""
    async with asyncio.timeout(5.0):
        while (event := await events.next()) is not None:
            if event.name == "stream_status":
                return list(event.data["streamStatus"].get("sparing", []))
    raise AssertionError("the stream ended")


async def test_readers_of_a_relays_rooms_learn_that_it_spares_and_that_it_ended(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        assert await sparing(events) == []
        await bus.publish(load(3, "room000000000009", "relay00000009"))
        await bus.publish(load(2))
        assert await sparing(events) == [{"relayId": "relay00000001", "ladderStep": 2}]
        async with stream(origin, "user000000000002") as late:
            assert await sparing(late) == [{"relayId": "relay00000001", "ladderStep": 2}]
        await bus.publish(load(0))
        assert await sparing(events) == []
