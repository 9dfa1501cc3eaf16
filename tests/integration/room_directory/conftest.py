"""Fixtures: a world with a running directory, on SQLite, or on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.common.ids import new_id
from tests.integration.room_directory.world import World
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings


@pytest_asyncio.fixture
async def world(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[World]:
    """A directory on SQLite, without relays yet."""
    test_settings(tmp_path)
    made = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{tmp_path}/rooms.db")
    await made.open()
    await made.start()
    yield made
    await made.close()


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def world_on_each(
    request: pytest.FixtureRequest, tmp_path: Path, nats_server: NatsServer
) -> AsyncIterator[World]:
    """A directory on each kind of database."""
    test_settings(tmp_path)
    if request.param == "sqlite":
        made = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{tmp_path}/rooms.db")
    else:
        url = request.getfixturevalue("postgres_url")
        made = World(tmp_path, nats_server.url, url, schema=f"test_{new_id()}")
    await made.open()
    await made.start()
    yield made
    await made.close()
