"""Who watches a room learns what happens to its booths."""

from majlis.room_directory.v1 import booth_events_pb2, booth_pb2

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, bus, stream

__all__ = ["bus"]


async def test_what_happens_to_booths_reaches_everybody_who_watches(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        await events.until("stream_status")
        booth = booth_pb2.Booth(language="ar", active_user_id=ANNA, rule=booth_pb2.BOOTH_RULE_SILENCE)
        await bus.publish(booth_events_pb2.BoothChanged(room_id=ROOM, revision=11, booth=booth))
        changed = await events.next()
        assert changed is not None
        assert (changed.name, changed.event_id) == ("booth_changed", 11)
        assert changed.data["boothChanged"]["booth"]["activeUserId"] == ANNA
        await bus.publish(booth_events_pb2.BoothClosed(room_id=ROOM, revision=12, language="ar"))
        closed = await events.next()
        assert closed is not None
        assert (closed.name, closed.data["boothClosed"]["language"]) == ("booth_closed", "ar")
