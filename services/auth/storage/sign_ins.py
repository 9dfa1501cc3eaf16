"""Sign-ins and their refresh tokens in and out of the tables."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.domain.sign_in import RefreshToken, SignIn
from services.auth.storage.tables import refresh_tokens, sign_ins


class SignInRows:
    """Rows of one transaction; a refresh token is locked when it is read for writing."""

    def __init__(self, session: AsyncSession, *, writing: bool) -> None:
        self._session = session
        self._writing = writing

    async def get_sign_in(self, sign_in_id: str) -> SignIn | None:
        """One sign-in, ended ones too."""
        row = (await self._session.execute(select(sign_ins).where(sign_ins.c.sign_in_id == sign_in_id))).one_or_none()
        return None if row is None else SignIn(**row._mapping)

    async def list_sign_ins(self, user_id: str, now: datetime) -> list[SignIn]:
        """A person's live sign-ins, newest first."""
        query = select(sign_ins).where(
            sign_ins.c.user_id == user_id, sign_ins.c.ended_at.is_(None), sign_ins.c.expires_at > now
        )
        rows = await self._session.execute(query.order_by(sign_ins.c.created_at.desc(), sign_ins.c.sign_in_id))
        return [SignIn(**row._mapping) for row in rows]

    async def add_sign_in(self, sign_in: SignIn) -> None:
        """Stores a new one."""
        await self._session.execute(sign_ins.insert().values(asdict(sign_in)))

    async def save_sign_in(self, sign_in: SignIn) -> None:
        """Stores a changed one."""
        statement = update(sign_ins).where(sign_ins.c.sign_in_id == sign_in.sign_in_id)
        await self._session.execute(
            statement.values(used_at=sign_in.used_at, expires_at=sign_in.expires_at, ended_at=sign_in.ended_at)
        )

    async def end_sign_ins(self, user_id: str, now: datetime) -> None:
        statement = update(sign_ins).where(sign_ins.c.user_id == user_id, sign_ins.c.ended_at.is_(None))
        await self._session.execute(statement.values(ended_at=now))

    async def end_expired_sign_ins(self, now: datetime, most: int) -> list[tuple[str, str]]:
        """Ends those that nobody refreshed in time; returns (person, sign-in) of each."""
        over = (
            select(sign_ins.c.sign_in_id).where(sign_ins.c.ended_at.is_(None), sign_ins.c.expires_at <= now).limit(most)
        )
        statement = update(sign_ins).where(sign_ins.c.sign_in_id.in_(over)).values(ended_at=now)
        rows = await self._session.execute(statement.returning(sign_ins.c.user_id, sign_ins.c.sign_in_id))
        return [(row.user_id, row.sign_in_id) for row in rows]

    async def add_refresh_token(self, token: RefreshToken) -> None:
        """Stores a new one."""
        await self._session.execute(refresh_tokens.insert().values(asdict(token)))

    async def find_refresh_token(self, token_hash: str) -> RefreshToken | None:
        """What is kept of a refresh token; no other transaction spends it before this one ends."""
        query = select(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash)
        if self._writing:
            query = query.with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else RefreshToken(**row._mapping)

    async def spend_refresh_token(self, token_hash: str, now: datetime) -> None:
        """Notes that it was traded."""
        statement = update(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash)
        await self._session.execute(statement.values(spent_at=now))
