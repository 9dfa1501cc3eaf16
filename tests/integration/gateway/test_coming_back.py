"""When readers of events come back after they lost their gateway."""

from tests.integration.gateway.conftest import Origin
from tests.integration.gateway.test_events import stream


async def test_streams_that_may_lose_their_gateway_together_are_told_different_waits(origin: Origin) -> None:
    waits = set()
    for _ in range(8):
        async with stream(origin) as events:
            await events.until("snapshot")
            assert events.retry is not None
            assert 500 <= events.retry <= 3000
            waits.add(events.retry)
    assert len(waits) > 1
