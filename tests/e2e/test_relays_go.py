"""Relays that go under a crowd who follow as clients do: what they hear of it, by the packets that come."""

from pathlib import Path

import pytest

from tests.load.blows import broken
from tests.load.relay_rows import audience_killed, drained, home_killed
from tests.load.ring import Crew

pytestmark = pytest.mark.alone

CREW = Crew(listeners=60, rooms=1, ears=3)


async def test_nobody_hears_a_gap_when_the_relay_that_has_everybody_is_emptied(tmp_path: Path) -> None:
    seen, (emptied, *troubles) = await drained(tmp_path, CREW)
    assert broken(seen) == [], emptied
    assert troubles == []


async def test_after_the_relay_of_the_audience_is_killed_everybody_hears_from_the_others_and_none_is_flooded(
    tmp_path: Path,
) -> None:
    seen, (spread, *troubles) = await audience_killed(tmp_path, CREW)
    assert broken(seen) == [], spread
    assert troubles == []


async def test_after_the_home_of_the_stage_is_killed_it_speaks_again_and_sessions_elsewhere_stay(
    tmp_path: Path,
) -> None:
    seen, (kept, *troubles) = await home_killed(tmp_path, CREW)
    assert broken(seen) == [], kept
    assert troubles == []
