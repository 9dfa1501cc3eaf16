"""Transactions on the tables of auth, the keys it signs with, and the sweeping of what is old."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.domain.account import Account
from services.auth.domain.events import Event, SignedOut
from services.auth.domain.personal_token import PersonalToken
from services.auth.domain.sign_in import SignIn
from services.auth.storage.accounts import AccountRows
from services.auth.storage.credentials import CredentialRows
from services.auth.storage.sign_ins import SignInRows
from services.auth.storage.tables import audit, challenges, outbox, refresh_tokens, secrets, sign_ins
from services.common.facts.outbox import StoredFact
from services.common.store.database import Conflict, Database

KEEP_ENDED_SIGN_INS = timedelta(days=30)
MOST_ENDED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret of the deployment, and the revision that was loaded."""

    value: str
    changed_at: datetime
    revision: int


class SqlTx(AccountRows, CredentialRows, SignInRows):
    """One transaction on everything auth keeps."""

    def __init__(self, session: AsyncSession, encode: Callable[[Event], Message], *, writing: bool) -> None:
        super().__init__(session, writing=writing)
        self._encode = encode
        self.told: list[Event] = []

    async def tell(self, events: Sequence[Event]) -> None:
        """Stores facts for the other services; they hear of them after the commit."""
        for event in events:
            await outbox.append(self._session, self._encode(event), event.at)
            self.told.append(event)

    async def audit(
        self, now: datetime, actor: str, action: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Records who did what."""
        await audit.append(self._session, now=now, actor=actor, action=action, target=target, detail=detail)


class RehearsedTx(SqlTx):
    """What an end would do and tell, on a database that takes nothing: whatever ends something is left out."""

    async def tell(self, events: Sequence[Event]) -> None:
        """Only remembers what would be told."""
        self.told += events

    async def audit(
        self, now: datetime, actor: str, action: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Records nothing."""

    async def save_sign_in(self, sign_in: SignIn) -> None:
        """Stores nothing."""

    async def end_sign_ins(self, user_id: str, now: datetime) -> None:
        """Ends nothing."""

    async def save_account(self, account: Account) -> None:
        """Stores nothing."""

    async def save_personal_token(self, token: PersonalToken) -> None:
        """Stores nothing."""

    async def revoke_personal_tokens(self, user_id: str, now: datetime) -> None:
        """Revokes nothing."""


class SqlStore:
    """Where transactions come from.

    `encode` turns a domain event into the contract's message; `committed` hears of the events of each commit, at once
    and in this process.
    """

    def __init__(
        self,
        database: Database,
        encode: Callable[[Event], Message],
        committed: Callable[[Sequence[Event]], None],
    ) -> None:
        self._database = database
        self._encode = encode
        self._committed = committed

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlTx]:
        """A transaction that commits at the end of the block."""
        async with self._database.write() as session:
            tx = SqlTx(session, self._encode, writing=True)
            yield tx
        self._committed(tx.told)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTx]:
        """A transaction that only looks."""
        async with self._database.read() as session:
            yield SqlTx(session, self._encode, writing=False)

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[RehearsedTx]:
        """A transaction for ends alone: it looks, and its changes go nowhere."""
        async with self._database.read() as session:
            yield RehearsedTx(session, self._encode, writing=False)

    async def facts_after(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        async with self._database.read() as session:
            return await outbox.list_after(session, after, limit)

    async def facts_since(self, at: datetime) -> list[StoredFact]:
        """Facts of the time since `at`, oldest first."""
        async with self._database.read() as session:
            query = (
                select(outbox.table.c.number).where(outbox.table.c.at >= at).order_by(outbox.table.c.number).limit(1)
            )
            first = await session.scalar(query)
            facts: list[StoredFact] = []
            while first is not None:
                page = await outbox.list_after(session, first - 1)
                facts += page
                first = page[-1].number + 1 if page else None
            return facts

    async def load_secret(self, name: str) -> StoredSecret | None:
        async with self._database.read() as session:
            row = (await session.execute(select(secrets).where(secrets.c.name == name))).one_or_none()
        return None if row is None else StoredSecret(row.value, row.changed_at, row.revision)

    async def save_secret(self, name: str, value: str, now: datetime, loaded: StoredSecret | None) -> None:
        """Stores a secret in place of the one that was loaded. Raises Conflict when another copy was faster."""
        async with self._database.write() as session:
            if loaded is None:
                insert = secrets.insert().values(name=name, value=value, changed_at=now, revision=1)
                try:
                    await session.execute(insert)
                except IntegrityError as error:
                    raise Conflict("the secret was made meanwhile") from error
                return
            statement = update(secrets).where(secrets.c.name == name, secrets.c.revision == loaded.revision)
            values = {"value": value, "changed_at": now, "revision": loaded.revision + 1}
            result = await session.execute(statement.values(values).returning(secrets.c.name))
            if result.one_or_none() is None:
                raise Conflict("the secret was changed meanwhile")

    async def end_expired(self, now: datetime) -> None:
        """Ends sign-ins and personal tokens whose time is over, boundedly many, and tells of it.

        Nobody refuses their refresh for that: others do not look at the time, and what was taken by them must end too.
        """
        async with self.write() as tx:
            ended = await tx.end_expired_sign_ins(now, MOST_ENDED_AT_ONCE)
            ended += await tx.revoke_expired_tokens(now, MOST_ENDED_AT_ONCE)
            await tx.tell([SignedOut(user_id, now, sign_in_id) for user_id, sign_in_id in ended])

    async def sweep(self, now: datetime, refresh_life: timedelta) -> None:
        """Forgets challenges that can no longer be answered, and sign-ins and refresh tokens of long ago."""
        async with self._database.write() as session:
            await session.execute(delete(challenges).where(challenges.c.expires_at < now - timedelta(hours=1)))
            # A spent token is kept as long as it might have lived: until then its reuse must be recognised.
            await session.execute(delete(refresh_tokens).where(refresh_tokens.c.spent_at < now - refresh_life))
            old = now - KEEP_ENDED_SIGN_INS
            await session.execute(delete(sign_ins).where(or_(sign_ins.c.ended_at < old, sign_ins.c.expires_at < old)))

    async def seal_audit(self) -> None:
        """Chains the audit rows that are not sealed yet."""
        await audit.seal(self._database)
