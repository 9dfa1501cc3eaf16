"""Auth with a real database, a clock that tests move, and a mailbox they can read."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio

from services.auth.app.ports import Visitor
from services.auth.app.sessions import SignedIn
from services.auth.build import Parts, build
from services.auth.domain.account import NewProfile
from services.auth.proof.mailer import Letter
from services.auth.settings import Settings
from services.auth.storage.tables import audit, metadata, outbox
from services.common.sight.metrics import Metrics
from services.common.store.audit import AuditRow
from services.common.store.database import Database
from tests.support.fake_clock import FakeClock

OWNER_TOKEN_FILE = "owner_link"


def auth_settings(directory: Path, **changes: Any) -> Settings:
    """Settings of auth for tests in one process."""
    secret = directory / "service_secret"
    secret.write_text("a secret for tests only")
    values: dict[str, Any] = {
        "public_url": "http://localhost:8080",
        "owner_link_file": directory / OWNER_TOKEN_FILE,
        "service_secret_file": secret,
        "mail_directory": directory / "mail",
    }
    return Settings(**values | changes)


@dataclass
class Hall:
    """A deployment's auth and what a test needs of it."""

    parts: Parts
    database: Database
    clock: FakeClock
    metrics: Metrics
    directory: Path
    redemptions: int = 0
    letters: list[Letter] = field(default_factory=list)

    async def owner(self) -> SignedIn:
        """Uses the owner link."""
        token = (self.directory / OWNER_TOKEN_FILE).read_text().strip().partition("#")[2]
        return await self.parts.app.accounts.set_up_owner(
            token, NewProfile(handle="owner_1", display_name="Owner"), Visitor()
        )

    async def member(self, handle: str, network: str = "10.0.0.0/24") -> SignedIn:
        """Somebody who came by an invitation."""
        self.redemptions += 1
        return await self.parts.app.accounts.create_account(
            f"redemption{self.redemptions:06}",
            NewProfile(handle=handle, display_name=handle.title()),
            "user000000000001",
            Visitor(network, "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"),
        )

    async def facts(self) -> list[str]:
        """The names of all facts told so far."""
        async with self.database.read() as session:
            return [fact.event.DESCRIPTOR.name for fact in await outbox.list_after(session, 0)]

    async def audited(self) -> list[AuditRow]:
        """What was recorded, oldest first."""
        async with self.database.read() as session:
            return (await audit.latest(session, limit=1000))[::-1]

    async def last_code(self, address: str) -> str:
        """The code in the newest letter to an address."""
        while not self.parts.mailer._letters.empty():
            self.letters.append(self.parts.mailer._letters.get_nowait())
        letter = [letter for letter in self.letters if letter.to == address][-1]
        found = re.search(r"\b\d{6}\b", letter.text)
        assert found is not None, letter.text
        return found.group()


async def open_hall(database: Database, directory: Path, clock: FakeClock, **changes: Any) -> Hall:
    """Auth on a database that has its tables, after its start."""
    metrics = Metrics("auth")
    parts = await build(auth_settings(directory, **changes), database, metrics, clock)
    await parts.owner_link.refresh()
    return Hall(parts, database, clock, metrics, directory)


@pytest_asyncio.fixture
async def hall(database: Database, tmp_path: Path) -> AsyncIterator[Hall]:
    """Auth on SQLite and on PostgreSQL."""
    await database.create_all(metadata)
    yield await open_hall(database, tmp_path, FakeClock())
