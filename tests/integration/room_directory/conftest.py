"""Fixtures: a world with a running directory, on SQLite unless a test asks for both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.common.ids import new_id
from tests.integration.room_directory.world import World
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings


@pytest_asyncio.fixture
async def world(request: pytest.FixtureRequest, tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[World]:
    """A directory without relays yet; with `on_both_databases` on each kind, in a schema of its own on PostgreSQL."""
    test_settings(tmp_path)
    if getattr(request, "param", "sqlite") == "sqlite":
        made = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{tmp_path}/rooms.db")
    else:
        made = World(tmp_path, nats_server.url, request.getfixturevalue("postgres_url"), schema=f"test_{new_id()}")
    await made.open()
    await made.start()
    yield made
    await made.close()
