"""Passkeys, challenges and personal access tokens in and out of the tables."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.domain.account import Passkey
from services.auth.domain.challenge import MOST_OPEN_CHALLENGES, Challenge, ChallengeKind
from services.auth.domain.personal_token import PersonalToken
from services.auth.storage.tables import challenges, passkeys, personal_tokens, sign_ins
from services.common.store.database import Conflict


class CredentialRows:
    """Rows of one transaction; a challenge is locked when it is read for writing."""

    def __init__(self, session: AsyncSession, *, writing: bool) -> None:
        self._session = session
        self._writing = writing

    async def list_passkeys(self, user_id: str) -> list[Passkey]:
        """A person's passkeys, newest first."""
        query = select(passkeys).where(passkeys.c.user_id == user_id)
        rows = await self._session.execute(query.order_by(passkeys.c.created_at.desc(), passkeys.c.passkey_id))
        return [_passkey(row) for row in rows]

    async def find_passkey(self, credential_id: bytes) -> Passkey | None:
        """The passkey with WebAuthn's id of it."""
        row = await self._one_row(select(passkeys).where(passkeys.c.credential_id == credential_id))
        return None if row is None else _passkey(row)

    async def add_passkey(self, passkey: Passkey) -> None:
        """Stores a new one. Raises Conflict when somebody has it."""
        try:
            await self._session.execute(passkeys.insert().values(asdict(passkey)))
        except IntegrityError as error:
            raise Conflict("the passkey was registered meanwhile") from error

    async def save_passkey(self, passkey: Passkey) -> None:
        """Stores when it was used and its counter."""
        statement = update(passkeys).where(passkeys.c.passkey_id == passkey.passkey_id)
        await self._session.execute(statement.values(sign_count=passkey.sign_count, used_at=passkey.used_at))

    async def delete_passkey(self, user_id: str, passkey_id: str) -> None:
        """Deletes one of a person's passkeys."""
        statement = delete(passkeys).where(passkeys.c.user_id == user_id, passkeys.c.passkey_id == passkey_id)
        await self._session.execute(statement)

    async def erase_credentials(self, user_id: str) -> None:
        """Deletes all that a person signs in with: passkeys, tokens, sign-ins, open challenges."""
        for table in (passkeys, challenges, personal_tokens, sign_ins):
            await self._session.execute(delete(table).where(table.c.user_id == user_id))

    async def add_challenge(self, challenge: Challenge) -> None:
        """Stores a new one; when too many are open the oldest gives way."""
        count = int(await self._session.scalar(select(func.count()).select_from(challenges)) or 0)
        if count >= MOST_OPEN_CHALLENGES:
            oldest = select(challenges.c.challenge_id).order_by(challenges.c.created_at)
            crowd = oldest.limit(count - MOST_OPEN_CHALLENGES + 1)
            await self._session.execute(delete(challenges).where(challenges.c.challenge_id.in_(crowd)))
        await self._session.execute(challenges.insert().values({**asdict(challenge), "kind": challenge.kind.value}))

    async def get_challenge(self, challenge_id: str) -> Challenge | None:
        """One challenge; no other transaction answers it before this one ends."""
        row = await self._one_row(select(challenges).where(challenges.c.challenge_id == challenge_id))
        return None if row is None else _challenge(row)

    async def save_challenge(self, challenge: Challenge) -> None:
        """Stores its tries and use."""
        statement = update(challenges).where(challenges.c.challenge_id == challenge.challenge_id)
        await self._session.execute(statement.values(tries_left=challenge.tries_left, used_at=challenge.used_at))

    async def list_personal_tokens(self, user_id: str, now: datetime) -> list[PersonalToken]:
        """A person's live tokens, newest first."""
        query = select(personal_tokens).where(
            personal_tokens.c.user_id == user_id,
            personal_tokens.c.revoked_at.is_(None),
            personal_tokens.c.expires_at > now,
        )
        order = (personal_tokens.c.created_at.desc(), personal_tokens.c.token_id)
        return [_personal_token(row) for row in await self._session.execute(query.order_by(*order))]

    async def get_personal_token(self, token_id: str) -> PersonalToken | None:
        """One token, revoked ones too."""
        row = await self._one_row(select(personal_tokens).where(personal_tokens.c.token_id == token_id))
        return None if row is None else _personal_token(row)

    async def find_personal_token(self, token_hash: str) -> PersonalToken | None:
        row = await self._one_row(select(personal_tokens).where(personal_tokens.c.token_hash == token_hash))
        return None if row is None else _personal_token(row)

    async def add_personal_token(self, token: PersonalToken) -> None:
        """Stores a new one."""
        await self._session.execute(personal_tokens.insert().values({**asdict(token), "scopes": list(token.scopes)}))

    async def save_personal_token(self, token: PersonalToken) -> None:
        """Stores when it was used or revoked."""
        statement = update(personal_tokens).where(personal_tokens.c.token_id == token.token_id)
        await self._session.execute(statement.values(used_at=token.used_at, revoked_at=token.revoked_at))

    async def revoke_personal_tokens(self, user_id: str, now: datetime) -> None:
        """Revokes all tokens of a person."""
        statement = update(personal_tokens).where(
            personal_tokens.c.user_id == user_id, personal_tokens.c.revoked_at.is_(None)
        )
        await self._session.execute(statement.values(revoked_at=now))

    async def revoke_expired_tokens(self, now: datetime, most: int) -> list[tuple[str, str]]:
        """Revokes those whose time is over; returns (person, token) of each."""
        table = personal_tokens
        over = select(table.c.token_id).where(table.c.revoked_at.is_(None), table.c.expires_at <= now).limit(most)
        statement = update(table).where(table.c.token_id.in_(over)).values(revoked_at=now)
        rows = await self._session.execute(statement.returning(table.c.user_id, table.c.token_id))
        return [(row.user_id, row.token_id) for row in rows]

    async def _one_row(self, query: Any) -> Any:
        if self._writing:
            query = query.with_for_update()
        return (await self._session.execute(query)).one_or_none()


def _passkey(row: Any) -> Passkey:
    return Passkey(**row._mapping)


def _challenge(row: Any) -> Challenge:
    return Challenge(**{**row._mapping, "kind": ChallengeKind(row.kind)})


def _personal_token(row: Any) -> PersonalToken:
    return PersonalToken(**{**row._mapping, "scopes": tuple(row.scopes)})
