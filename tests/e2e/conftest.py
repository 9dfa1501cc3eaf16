"""Fixtures of the stories: one running system for all, voices, and a house that people arrive at."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support import voices
from tests.support.browser import House, open_house
from tests.support.members import end_rooms
from tests.support.nats_server import nats_server
from tests.support.postgres import postgres_server, postgres_url
from tests.support.stack import Stack

__all__ = ["nats_server", "postgres_server", "postgres_url"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, as `make run` starts it, for every story that needs no system of its own."""
    running = Stack(tmp_path_factory.mktemp("majlis"))
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0, running.output[-3000:]


@pytest.fixture(autouse=True)
def quiet_hallway(request: pytest.FixtureRequest) -> Iterator[None]:
    """The rooms of a story end with it."""
    yield
    if "stack" in request.fixturenames:
        asyncio.run(end_rooms(request.getfixturevalue("stack")))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Where people arrive with their browsers."""
    async with open_house() as opened:
        yield opened


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A voice each: a steady tone of that many hertz."""
    folder = tmp_path_factory.mktemp("voices")
    return {hertz: voices.tone(folder / f"{hertz}.wav", hertz) for hertz in (440, 700, 1100)}
