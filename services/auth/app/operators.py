"""What operators do with accounts: list, suspend, restore, share their own power."""

from services.auth.app.accounts import own_account
from services.auth.app.ports import Store, Tx
from services.auth.app.sessions import OwnAccount, end_everything
from services.auth.app.unsaved import Unsaved
from services.auth.domain import names
from services.common.clock import Clock
from services.common.rpc.pages import read_place, write_place
from services.common.store.database import retry_conflicts

DEFAULT_PAGE = 50


class Operators:
    """The accounts of a deployment as its operators handle them."""

    def __init__(self, store: Store, clock: Clock, unsaved: Unsaved) -> None:
        self._store = store
        self._unsaved = unsaved
        self._clock = clock

    async def list_accounts(self, query: str, page_size: int, page_token: str) -> tuple[list[OwnAccount], str]:
        """A page, newest first, and the token of the next one. Raises FieldInvalid for a made-up token."""
        limit = page_size or DEFAULT_PAGE
        async with self._store.read() as tx:
            found = await tx.page_accounts(query.strip().removeprefix("@"), read_place(page_token), limit + 1)
            page = [OwnAccount(account, await tx.list_passkeys(account.user_id)) for account in found[:limit]]
        last = page[-1].account if len(found) > limit else None
        return page, "" if last is None else write_place(last.created_at, last.user_id)

    async def suspend(self, operator_id: str, user_id: str, reason: str) -> None:
        """Signs an account out everywhere and keeps it out. Raises AccountNotFound, LastOperator, FieldInvalid."""
        now, reason = self._clock.now(), names.reason(reason)

        async def end(tx: Tx) -> None:
            account = (await own_account(tx, user_id)).account
            events = account.suspend(now, await tx.count_other_operators(user_id))
            if events:
                await end_everything(tx, user_id, now)
                await tx.save_account(account)
                await tx.tell(events)
                await tx.audit(now, operator_id, "account_suspended", user_id, {"reason": reason})

        await self._unsaved.carry_out(user_id, "suspend", user_id, end)

    @retry_conflicts()
    async def restore(self, operator_id: str, user_id: str) -> None:
        """Lifts a suspension. Raises AccountNotFound."""
        now = self._clock.now()
        self._unsaved.must_be_written(user_id)
        async with self._store.write() as tx:
            account = (await own_account(tx, user_id)).account
            events = account.restore(now)
            if events:
                await tx.save_account(account)
                await tx.tell(events)
                await tx.audit(now, operator_id, "account_restored", user_id)

    @retry_conflicts()
    async def set_operator(self, operator_id: str, user_id: str, operator: bool) -> OwnAccount:
        """Makes somebody an operator or takes it away. Raises AccountNotFound, AccountIsSuspended, LastOperator."""
        now = self._clock.now()
        async with self._store.write() as tx:
            own = await own_account(tx, user_id)
            if own.account.operator != operator:
                events = own.account.set_operator(operator, now, await tx.count_other_operators(user_id))
                await tx.save_account(own.account)
                await tx.tell(events)
                await tx.audit(now, operator_id, "operator_made" if operator else "operator_unmade", user_id)
        return own
