"""Makes, lists, revokes and exchanges personal access tokens."""

from collections.abc import Iterable
from datetime import datetime

from services.auth.app.accounts import own_account
from services.auth.app.ports import Chance, Counters, Limits, Store, Tx, Visitor
from services.auth.app.sessions import Sessions, Tokens
from services.auth.app.unsaved import Unsaved
from services.auth.domain import limits as rates
from services.auth.domain import names
from services.auth.domain.account import Account, AccountState
from services.auth.domain.errors import TokenInvalid, TokenNotFound
from services.auth.domain.events import SignedOut
from services.auth.domain.personal_token import (
    PersonalToken,
    check_room_for_another,
    check_scopes,
    expiry,
    looks_like_token,
    token_text,
)
from services.auth.domain.sign_in import token_hash
from services.common.clock import Clock
from services.common.errors import DomainError, StorageUnavailable
from services.common.store.database import retry_conflicts


class PersonalTokens:
    """Tokens that people give to their programs."""

    def __init__(
        self,
        *,
        store: Store,
        sessions: Sessions,
        unsaved: Unsaved,
        limits: Limits,
        chance: Chance,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._unsaved = unsaved
        self._limits = limits
        self._chance = chance
        self._clock = clock
        self._counters = counters

    @retry_conflicts()
    async def create(self, user_id: str, label: str, scopes: Iterable[str], days: int) -> tuple[str, PersonalToken]:
        """The new token's text, which is kept nowhere, and what is. Raises TooManyTokens or ScopeUnknown."""
        now, scopes = self._clock.now(), tuple(scopes)
        text = token_text(self._chance.secret())
        async with self._store.write() as tx:
            own = await own_account(tx, user_id)
            token = PersonalToken(
                token_id=self._chance.new_id(),
                user_id=user_id,
                token_hash=token_hash(text),
                label=names.token_label(label),
                scopes=check_scopes(scopes, operator=own.account.operator),
                created_at=now,
                expires_at=expiry(now, days),
            )
            self._unsaved.must_be_written(user_id)
            check_room_for_another(len(await tx.list_personal_tokens(user_id, now)))
            await tx.add_personal_token(token)
            # A revision of the account, so that two creations at once cannot both take the last place.
            await tx.save_account(own.account)
            await tx.audit(now, user_id, "token_created", token.token_id, {"scopes": list(token.scopes)})
        return text, token

    async def list(self, user_id: str) -> list[PersonalToken]:
        """A person's live tokens, newest first."""
        async with self._store.read() as tx:
            found = await tx.list_personal_tokens(user_id, self._clock.now())
        return [each for each in found if not self._unsaved.has_ended(user_id, each.token_id, each.created_at)]

    async def revoke(self, user_id: str, token_id: str) -> None:
        """Revokes one of the caller's tokens; a revoked one stays revoked. Raises TokenNotFound."""
        now = self._clock.now()

        async def end(tx: Tx) -> None:
            token = await tx.get_personal_token(token_id)
            if token is None or token.user_id != user_id:
                raise TokenNotFound("there is no such token of yours")
            if token.revoked_at is None:
                token.revoked_at = now
                await tx.save_personal_token(token)
                await tx.tell([SignedOut(user_id, now, token_id)])
                await tx.audit(now, user_id, "token_revoked", token_id)

        await self._unsaved.carry_out(user_id, "revoke_token", token_id, end)

    async def exchange(self, text: str, visitor: Visitor) -> Tokens:
        """A short access token with the token's scopes. Raises TokenInvalid, AccountIsSuspended or RateLimited."""
        self._limits.take(rates.BAD_TOKENS_PER_NETWORK, visitor.network)
        try:
            tokens = await self._exchange(text)
        except DomainError as refusal:
            self._counters.sign_in("personal_token", refusal.reason.lower())
            raise
        self._limits.give_back(rates.BAD_TOKENS_PER_NETWORK, visitor.network)
        self._counters.sign_in("personal_token", "ok")
        return tokens

    async def _exchange(self, text: str) -> Tokens:
        """Notes when it was used, if that can be written: a program that starts again must not wait for a disk."""
        try:
            return await self._exchange_and_note(text)
        except StorageUnavailable:
            async with self._store.read() as tx:
                token, account = await self._usable(tx, text, self._clock.now())
                return self._sessions.access(account, token.token_id, self._clock.now(), token.scopes)

    @retry_conflicts()
    async def _exchange_and_note(self, text: str) -> Tokens:
        now = self._clock.now()
        async with self._store.write() as tx:
            token, account = await self._usable(tx, text, now)
            token.used_at = now
            await tx.save_personal_token(token)
            return self._sessions.access(account, token.token_id, now, token.scopes)

    async def _usable(self, tx: Tx, text: str, now: datetime) -> tuple[PersonalToken, Account]:
        token = await tx.find_personal_token(token_hash(text)) if looks_like_token(text) else None
        account = None if token is None else await tx.get_account(token.user_id)
        if token is None or account is None or not token.is_live(now) or account.state is AccountState.DELETED:
            raise TokenInvalid("this token is unknown, expired or revoked")
        self._sessions.must_be_usable(account)
        if self._unsaved.has_ended(account.user_id, token.token_id, token.created_at):
            raise TokenInvalid("this token is unknown, expired or revoked")
        return token, account
