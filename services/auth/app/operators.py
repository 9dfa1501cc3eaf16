"""What operators do with accounts: list, suspend, restore."""

import base64
import binascii
from datetime import UTC, datetime

from services.auth.app.accounts import own_account
from services.auth.app.ports import Store
from services.auth.app.sessions import OwnAccount, end_everything
from services.common.clock import Clock
from services.common.database import retry_conflicts
from services.common.errors import FieldInvalid

DEFAULT_PAGE = 50


class Operators:
    """The accounts of a deployment as its operators handle them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list_accounts(self, query: str, page_size: int, page_token: str) -> tuple[list[OwnAccount], str]:
        """A page, newest first, and the token of the next one. Raises FieldInvalid for a made-up token."""
        limit = page_size or DEFAULT_PAGE
        async with self._store.read() as tx:
            found = await tx.page_accounts(query.strip().lower(), _read_place(page_token), limit + 1)
            page = [OwnAccount(account, await tx.list_passkeys(account.user_id)) for account in found[:limit]]
        last = page[-1].account if len(found) > limit else None
        return page, "" if last is None else _write_place(last.created_at, last.user_id)

    @retry_conflicts()
    async def suspend(self, operator_id: str, user_id: str, reason: str) -> None:
        """Signs an account out everywhere and keeps it out. Raises AccountNotFound or LastOperator."""
        now = self._clock.now()
        async with self._store.write() as tx:
            account = (await own_account(tx, user_id)).account
            events = account.suspend(now, await tx.count_other_operators(user_id))
            if events:
                await end_everything(tx, user_id, now)
                await tx.save_account(account)
                await tx.tell(events)
                await tx.audit(now, operator_id, "account_suspended", user_id, {"reason": reason})

    @retry_conflicts()
    async def restore(self, operator_id: str, user_id: str) -> None:
        """Lifts a suspension. Raises AccountNotFound."""
        now = self._clock.now()
        async with self._store.write() as tx:
            account = (await own_account(tx, user_id)).account
            events = account.restore(now)
            if events:
                await tx.save_account(account)
                await tx.tell(events)
                await tx.audit(now, operator_id, "account_restored", user_id)


def _write_place(at: datetime, user_id: str) -> str:
    return base64.urlsafe_b64encode(f"{round(at.timestamp() * 1_000_000)}.{user_id}".encode()).rstrip(b"=").decode()


def _read_place(token: str) -> tuple[datetime, str] | None:
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        micros, _, user_id = text.partition(".")
        seconds, rest = divmod(int(micros), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), user_id
    except (ValueError, binascii.Error, OverflowError, OSError):
        raise FieldInvalid(fields=(("page_token", "is not one of an earlier page"),)) from None
