"""Accounts, redemptions and the owner link in and out of the tables."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.app.ports import OwnerLink, Redemption
from services.auth.domain.account import Account, AccountState
from services.auth.storage.tables import accounts, owner_link, redemptions
from services.common.store.database import Conflict
from services.common.text.folding import matches

_SEARCHED_AT_ONCE = 500


class AccountRows:
    """Rows of one transaction; account rows are locked when they are read for writing."""

    def __init__(self, session: AsyncSession, *, writing: bool) -> None:
        self._session = session
        self._writing = writing

    async def get_account(self, user_id: str) -> Account | None:
        """The account, tombstones too."""
        return await self._account(accounts.c.user_id == user_id)

    async def find_by_handle(self, handle: str) -> Account | None:
        return await self._account(accounts.c.handle == handle)

    async def find_by_email(self, email: str) -> Account | None:
        """The account that signs in with an address."""
        return await self._account(accounts.c.email == email)

    async def get_accounts(self, user_ids: Iterable[str]) -> list[Account]:
        """Those of the accounts that exist and are not deleted."""
        query = select(accounts).where(
            accounts.c.user_id.in_(list(user_ids)), accounts.c.state != AccountState.DELETED.value
        )
        return [_account(row) for row in await self._session.execute(query)]

    async def page_accounts(self, query: str, before: tuple[datetime, str] | None, limit: int) -> list[Account]:
        """Accounts newest first, from before a place in that order."""
        if not query:
            return await self._page(before, limit)
        # Looked through here, since neither database folds all scripts, and never both alike.
        found: list[Account] = []
        while page := await self._page(before, _SEARCHED_AT_ONCE):
            found += (each for each in page if matches(query, each.handle, each.display_name))
            if len(found) >= limit or len(page) < _SEARCHED_AT_ONCE:
                break
            before = (page[-1].created_at, page[-1].user_id)
        return found[:limit]

    async def _page(self, before: tuple[datetime, str] | None, limit: int) -> list[Account]:
        statement = select(accounts).where(accounts.c.state != AccountState.DELETED.value)
        if before is not None:
            at, user_id = before
            earlier = and_(accounts.c.created_at == at, accounts.c.user_id < user_id)
            statement = statement.where(or_(accounts.c.created_at < at, earlier))
        statement = statement.order_by(accounts.c.created_at.desc(), accounts.c.user_id.desc()).limit(limit)
        return [_account(row) for row in await self._session.execute(statement)]

    async def count_other_operators(self, user_id: str) -> int:
        """Active operators beside this one, locked, so that two cannot leave at once."""
        query = select(accounts.c.user_id).where(
            accounts.c.operator.is_(True),
            accounts.c.state == AccountState.ACTIVE.value,
            accounts.c.user_id != user_id,
        )
        if self._writing:
            query = query.with_for_update()
        return len((await self._session.execute(query)).all())

    async def list_operators(self) -> list[Account]:
        """Active operators."""
        query = select(accounts).where(accounts.c.operator.is_(True), accounts.c.state == AccountState.ACTIVE.value)
        return [_account(row) for row in await self._session.execute(query)]

    async def add_account(self, account: Account) -> None:
        """Stores a new account. Raises Conflict when its handle or address was taken meanwhile."""
        try:
            await self._session.execute(accounts.insert().values(_values(account)))
        except IntegrityError as error:
            raise Conflict("the handle or address was taken meanwhile") from error

    async def save_account(self, account: Account) -> None:
        """Stores a changed account. Raises Conflict when another change came between."""
        statement = update(accounts).where(
            accounts.c.user_id == account.user_id, accounts.c.revision == account.revision
        )
        account.revision += 1
        try:
            result = await self._session.execute(statement.values(_values(account)).returning(accounts.c.user_id))
        except IntegrityError as error:
            raise Conflict("the handle or address was taken meanwhile") from error
        if result.one_or_none() is None:
            raise Conflict("the account was changed meanwhile")

    async def get_redemption(self, redemption_id: str) -> Redemption | None:
        """What a redemption led to."""
        query = select(redemptions).where(redemptions.c.redemption_id == redemption_id)
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else Redemption(row.redemption_id, row.user_id, row.at)

    async def add_redemption(self, redemption: Redemption) -> None:
        """Stores the end of a redemption. Raises Conflict when it has one."""
        values = {"redemption_id": redemption.redemption_id, "user_id": redemption.user_id, "at": redemption.at}
        try:
            await self._session.execute(redemptions.insert().values(values))
        except IntegrityError as error:
            raise Conflict("the redemption came to an end meanwhile") from error

    async def get_owner_link(self) -> OwnerLink | None:
        """The owner link, if one was made."""
        query = select(owner_link)
        if self._writing:
            query = query.with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else OwnerLink(row.token_hash, row.used_at)

    async def put_owner_link(self, link: OwnerLink) -> None:
        """Stores the owner link in place of the one before."""
        await self._session.execute(owner_link.delete())
        await self._session.execute(owner_link.insert().values(id=1, token_hash=link.token_hash, used_at=link.used_at))

    async def _account(self, condition: Any) -> Account | None:
        query = select(accounts).where(condition)
        if self._writing:
            query = query.with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _account(row)


def _account(row: Any) -> Account:
    return Account(
        user_id=row.user_id,
        handle=row.handle or "",
        display_name=row.display_name,
        created_at=row.created_at,
        bio=row.bio,
        avatar_hue=row.avatar_hue,
        locale=row.locale,
        spoken_languages=tuple(row.spoken_languages),
        email=row.email or "",
        operator=row.operator,
        state=AccountState(row.state),
        inviter_id=row.inviter_id,
        tokens_not_before=row.tokens_not_before,
        revision=row.revision,
    )


def _values(account: Account) -> dict[str, Any]:
    return {
        "user_id": account.user_id,
        "handle": account.handle or None,
        "email": account.email or None,
        "display_name": account.display_name,
        "bio": account.bio,
        "avatar_hue": account.avatar_hue,
        "locale": account.locale,
        "spoken_languages": list(account.spoken_languages),
        "operator": account.operator,
        "state": account.state.value,
        "inviter_id": account.inviter_id,
        "created_at": account.created_at,
        "tokens_not_before": account.tokens_not_before,
        "revision": account.revision,
    }
