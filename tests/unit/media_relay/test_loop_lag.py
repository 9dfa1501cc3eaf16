"""A loop that is late says by how much."""

import pytest

from services.media_relay.fleet.loop_lag import TICK_SECONDS, LoopLag
from tests.support.fake_clock import FakeClock


async def test_lateness_is_the_most_of_a_second_and_counts_also_while_it_lasts() -> None:
    clock = FakeClock()
    lag = LoopLag(clock)
    for late in (0.0, 0.3, 0.1):
        clock.advance(TICK_SECONDS + late)
        await lag.tick()
    assert lag.take() == pytest.approx(0.3)
    clock.advance(TICK_SECONDS)
    await lag.tick()
    assert lag.take() == pytest.approx(0.0, abs=1e-9)
    clock.advance(TICK_SECONDS + 2.0)
    assert lag.take() == pytest.approx(2.0)
