"""Makes accounts, shows and changes them, deletes them."""

from collections.abc import Iterable
from datetime import datetime

from services.auth.app.ports import Chance, Counters, OwnerLink, Redemption, Store, Tx, Visitor
from services.auth.app.sessions import OwnAccount, Sessions, SignedIn
from services.auth.domain.account import (
    FRESH_SIGN_IN_WINDOW,
    Account,
    AccountState,
    NewProfile,
    ProfileChange,
    open_account,
)
from services.auth.domain.errors import (
    AccountNotFound,
    HandleInvalid,
    HandleTaken,
    OwnerLinkInvalid,
    RedemptionClosed,
)
from services.auth.domain.names import handle as normal_handle
from services.auth.domain.official import check_display_name, check_handle
from services.auth.domain.proposed_handle import alternatives, is_allowed, proposed_handle
from services.auth.domain.sign_in import token_hash
from services.common.clock import Clock
from services.common.errors import FieldInvalid
from services.common.facts.outbox import StoredFact
from services.common.store.database import retry_conflicts


class Accounts:
    def __init__(self, store: Store, sessions: Sessions, chance: Chance, clock: Clock, counters: Counters) -> None:
        self._store = store
        self._sessions = sessions
        self._chance = chance
        self._clock = clock
        self._counters = counters

    @retry_conflicts()
    async def set_up_owner(self, token: str, profile: NewProfile, visitor: Visitor) -> SignedIn:
        """Turns the owner link into the first operator. Raises OwnerLinkInvalid, HandleTaken or a name's refusal."""
        now = self._clock.now()
        async with self._store.write() as tx:
            link = await _unused_owner_link(tx, token)
            account = await self._open(tx, self._chance.new_id(), profile, now, operator=True)
            await tx.put_owner_link(OwnerLink(link.token_hash, now))
            await tx.audit(now, account.user_id, "owner_set_up", account.user_id)
            signed_in = await self._sessions.start(tx, account, visitor, now)
        self._counters.account_created()
        return signed_in

    async def check_owner_link(self, token: str) -> None:
        """Raises OwnerLinkInvalid unless the link still works."""
        async with self._store.read() as tx:
            await _unused_owner_link(tx, token)

    async def propose_handle(self, display_name: str) -> str:
        """A handle made of a name that would not be refused as misleading, or ""; it may be taken."""
        async with self._store.read() as tx:
            return proposed_handle(display_name, await tx.list_operators())

    @retry_conflicts()
    async def create_account(
        self, redemption_id: str, profile: NewProfile, inviter_id: str, visitor: Visitor
    ) -> SignedIn:
        """The account a redemption leads to, made once, with a sign-in while it is fresh.

        Raises RedemptionClosed, HandleTaken or a name's refusal.
        """
        now = self._clock.now()
        async with self._store.write() as tx:
            redemption = await tx.get_redemption(redemption_id)
            if redemption is not None:
                return await self._again(tx, redemption, visitor, now)
            user_id = self._chance.new_id()
            # First, since its key makes calls with the same redemption wait for each other.
            await tx.add_redemption(Redemption(redemption_id, user_id, now))
            account = await self._open(tx, user_id, profile, now, inviter_id=inviter_id)
            await tx.audit(now, "invite", "account_created", account.user_id, {"inviter_id": inviter_id})
            signed_in = await self._sessions.start(tx, account, visitor, now)
        self._counters.account_created()
        return signed_in

    async def check_new_profile(self, profile: NewProfile) -> None:
        """Raises HandleTaken or a name's refusal, as creating an account with it would now; nothing is reserved."""
        async with self._store.read() as tx:
            account, _ = open_account(self._chance.new_id(), profile, self._clock.now())
            await self._must_be_allowed(tx, account)

    @retry_conflicts()
    async def settle_redemption(self, redemption_id: str) -> str:
        """The account a redemption led to; when there is none it is closed, and an empty string is returned."""
        now = self._clock.now()
        async with self._store.write() as tx:
            redemption = await tx.get_redemption(redemption_id)
            if redemption is not None:
                return redemption.user_id
            await tx.add_redemption(Redemption(redemption_id, "", now))
            await tx.audit(now, "invite", "redemption_closed", redemption_id)
        return ""

    async def get_me(self, user_id: str) -> OwnAccount:
        """The caller's own account. Raises AccountNotFound."""
        async with self._store.read() as tx:
            return await own_account(tx, user_id)

    @retry_conflicts()
    async def update_profile(self, user_id: str, change: ProfileChange) -> OwnAccount:
        """Changes the caller's profile. Raises HandleTaken, a name's refusal, AccountNotFound."""
        now = self._clock.now()
        async with self._store.write() as tx:
            own = await own_account(tx, user_id)
            before, name_before = own.account.handle, own.account.display_name
            events = own.account.change_profile(change, now)
            renamed = own.account.handle != before
            if renamed:
                await self._must_be_free(tx, own.account.handle)
                # Without the names: what is recorded outlives the account.
                await tx.audit(now, user_id, "handle_changed", user_id)
            await self._must_not_mislead(
                tx, own.account, handle=renamed, display_name=own.account.display_name != name_before
            )
            await tx.save_account(own.account)
            await tx.tell(events)
        return own

    async def get_profile(self, *, user_id: str = "", handle: str = "") -> Account:
        """A person by id or handle. Raises AccountNotFound."""
        async with self._store.read() as tx:
            if user_id:
                account = await tx.get_account(user_id)
            else:
                account = await self._by_handle(tx, handle)
        if account is None or account.state is AccountState.DELETED:
            raise AccountNotFound("there is no such person")
        return account

    async def batch_get_profiles(self, user_ids: Iterable[str]) -> list[Account]:
        """Those of the people who exist."""
        async with self._store.read() as tx:
            return await tx.get_accounts(dict.fromkeys(user_ids))

    @retry_conflicts()
    async def delete_account(self, user_id: str, confirm_handle: str) -> None:
        """Deletes the caller's account for good. Raises LastOperator, or FieldInvalid for a wrong confirmation."""
        now = self._clock.now()
        async with self._store.write() as tx:
            account = (await own_account(tx, user_id)).account
            if confirm_handle.strip().removeprefix("@").lower() != account.handle:
                raise FieldInvalid(fields=(("confirm_handle", "is not the account's own handle"),))
            events = account.delete(now, await tx.count_other_operators(user_id))
            await tx.erase_credentials(user_id)
            await tx.save_account(account)
            await tx.tell(events)
            await tx.audit(now, user_id, "account_deleted", user_id)

    async def list_facts(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        return await self._store.facts_after(after, limit)

    async def _open(
        self, tx: Tx, user_id: str, profile: NewProfile, now: datetime, *, inviter_id: str = "", operator: bool = False
    ) -> Account:
        account, events = open_account(user_id, profile, now, inviter_id=inviter_id, operator=operator)
        await self._must_be_allowed(tx, account)
        await tx.add_account(account)
        await tx.tell(events)
        return account

    async def _must_be_allowed(self, tx: Tx, account: Account) -> None:
        await self._must_be_free(tx, account.handle)
        await self._must_not_mislead(tx, account, handle=True, display_name=True)

    async def _again(self, tx: Tx, redemption: Redemption, visitor: Visitor, now: datetime) -> SignedIn:
        if not redemption.user_id:
            raise RedemptionClosed("this redemption was given up; begin a new one")
        own = await own_account(tx, redemption.user_id)
        if now - redemption.at > FRESH_SIGN_IN_WINDOW:
            return SignedIn(own, None)
        return await self._sessions.start(tx, own.account, visitor, now)

    async def _must_not_mislead(self, tx: Tx, account: Account, *, handle: bool, display_name: bool) -> None:
        """Checks what is chosen anew; an operator may be called one. Raises HandleMisleading, DisplayNameMisleading."""
        if account.operator or not (handle or display_name):
            return
        operators = await tx.list_operators()
        if display_name:
            check_display_name(account.display_name, operators)
        if handle:
            check_handle(account.handle, operators)

    async def _must_be_free(self, tx: Tx, handle: str) -> None:
        if await tx.find_by_handle(handle) is None:
            return
        taken = {"handle": handle}
        operators = await tx.list_operators()
        for other in alternatives(handle):
            if is_allowed(other, operators) and await tx.find_by_handle(other) is None:
                taken["free"] = other
                break
        raise HandleTaken(f"@{handle} is taken", metadata=taken)

    async def _by_handle(self, tx: Tx, handle: str) -> Account | None:
        try:
            return await tx.find_by_handle(normal_handle(handle))
        except HandleInvalid:
            return None


async def _unused_owner_link(tx: Tx, token: str) -> OwnerLink:
    link = await tx.get_owner_link()
    if link is None or link.used_at is not None or link.token_hash != token_hash(token):
        raise OwnerLinkInvalid("this link was used already or never existed")
    return link


async def own_account(tx: Tx, user_id: str) -> OwnAccount:
    """An account with its passkeys. Raises AccountNotFound for one that is deleted or never was."""
    account = await tx.get_account(user_id)
    if account is None or account.state is AccountState.DELETED:
        raise AccountNotFound("there is no such account")
    return OwnAccount(account, await tx.list_passkeys(user_id))
