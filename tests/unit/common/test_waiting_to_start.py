"""What a start needs and is not there yet is waited for, said once, and given up when a stop is asked for."""

import asyncio

import pytest
from structlog.testing import capture_logs

from services.common.errors import NotSignedIn, StorageUnavailable
from services.common.process import Stop, Stopped


class Oven:
    """Is hot after so many looks."""

    def __init__(self, cold_for: int) -> None:
        self.looks = 0
        self._cold_for = cold_for

    async def look(self) -> None:
        self.looks += 1
        if self.looks <= self._cold_for:
            raise StorageUnavailable("cold")


async def test_it_goes_on_as_soon_as_what_it_needs_is_there_and_says_once_what_it_waits_for() -> None:
    oven = Oven(cold_for=30)
    with capture_logs() as lines:
        await Stop().until_there("the oven", oven.look)
    assert oven.looks == 31
    assert [line["event"] for line in lines] == ["waiting before serving", "going on"]
    assert (lines[0]["waiting_for"], lines[0]["why"]) == ("the oven", "cold")


async def test_what_is_there_is_not_spoken_of() -> None:
    with capture_logs() as lines:
        await Stop().until_there("the oven", Oven(cold_for=0).look)
    assert lines == []


async def test_a_stop_ends_the_waiting() -> None:
    stop = Stop()
    waiting = asyncio.ensure_future(stop.until_there("the oven", Oven(cold_for=1_000).look))
    await asyncio.sleep(5)
    stop.request()
    with pytest.raises(Stopped):
        await waiting


async def test_what_is_no_matter_of_waiting_is_raised() -> None:
    async def refuse() -> None:
        raise NotSignedIn("wrong password")

    with pytest.raises(NotSignedIn):
        await Stop().until_there("the oven", refuse)
