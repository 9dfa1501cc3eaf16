"""Fixtures of the client's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from majlis_client import Client, FixedToken

from tests.support.fake_hall import Hall, open_hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """An open hall."""
    async with open_hall(tmp_path) as made:
        yield made


@pytest.fixture
async def client(hall: Hall) -> AsyncIterator[Client]:
    """A signed-in client of it."""
    async with await Client.connect(hall.url, FixedToken(hall.mint.token())) as made:
        yield made
