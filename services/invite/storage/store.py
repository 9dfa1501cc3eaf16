"""Transactions on the tables of invite."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.facts.outbox import StoredFact
from services.common.store.database import Database
from services.invite.domain.events import Event
from services.invite.storage.doors import DoorRows
from services.invite.storage.invitations import InvitationRows
from services.invite.storage.letters import LetterRows
from services.invite.storage.people import PeopleRows
from services.invite.storage.tables import audit, outbox


class SqlTx(InvitationRows, PeopleRows, DoorRows, LetterRows):
    """One transaction on everything invite keeps."""

    def __init__(self, session: AsyncSession, encode: Callable[[Event], Message], *, writing: bool) -> None:
        InvitationRows.__init__(self, session, writing=writing)
        self._encode = encode

    async def tell(self, events: Sequence[Event]) -> None:
        """Stores facts for the other services; they hear of them after the commit."""
        for event in events:
            await outbox.append(self._session, self._encode(event), event.at)

    async def audit(
        self, now: datetime, actor: str, action: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Records who did what."""
        await audit.append(self._session, now=now, actor=actor, action=action, target=target, detail=detail)


class SqlStore:
    """Where transactions come from; `encode` turns a domain event into the contract's message."""

    def __init__(self, database: Database, encode: Callable[[Event], Message]) -> None:
        self._database = database
        self._encode = encode

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlTx]:
        """A transaction that commits at the end of the block."""
        async with self._database.write() as session:
            yield SqlTx(session, self._encode, writing=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTx]:
        """A transaction that only looks."""
        async with self._database.read() as session:
            yield SqlTx(session, self._encode, writing=False)

    async def facts_after(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        async with self._database.read() as session:
            return await outbox.list_after(session, after, limit)

    async def seal_audit(self) -> None:
        """Chains the audit rows that are not sealed yet."""
        await audit.seal(self._database)
