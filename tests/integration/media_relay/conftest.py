"""Relays for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.nats_server import NatsServer
from tests.support.relay_fleet import Fleet
from tests.support.relay_fleet import fleet as make_fleet


@pytest.fixture
async def fleet(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Fleet]:
    async with make_fleet(tmp_path, nats_server.url) as made:
        yield made
