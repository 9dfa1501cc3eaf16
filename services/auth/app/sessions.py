"""Starts, refreshes, lists and ends sign-ins."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.app.ports import Chance, Counters, Keys, Store, Tx, Visitor
from services.auth.app.unsaved import Unsaved
from services.auth.domain.access_token import access_claims
from services.auth.domain.account import Account, AccountState, Passkey
from services.auth.domain.errors import AccountIsSuspended, SessionEnded, SignInNotFound
from services.auth.domain.events import SignedOut
from services.auth.domain.sign_in import (
    RefreshOutcome,
    RefreshToken,
    SignIn,
    device_name,
    judge_refresh,
    looks_like_refresh_token,
    refresh_token,
    successor_of,
    token_hash,
)
from services.common.clock import Clock
from services.common.store.database import retry_conflicts


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens live."""

    access: timedelta
    refresh: timedelta


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as it is handed out; the refresh token is empty for a personal access token's exchange."""

    access_token: str
    access_expires_at: datetime
    refresh_token: str = ""
    refresh_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account as its owner sees it."""

    account: Account
    passkeys: list[Passkey]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account and the tokens of its new sign-in; none when the window for them has passed."""

    own: OwnAccount
    tokens: Tokens | None


class Sessions:
    """Sign-ins of people on their devices."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        chance: Chance,
        clock: Clock,
        counters: Counters,
        *,
        unsaved: Unsaved,
        audience: str,
        lifetimes: Lifetimes,
    ) -> None:
        self._store = store
        self._keys = keys
        self._chance = chance
        self._clock = clock
        self._counters = counters
        self._unsaved = unsaved
        self._audience = audience
        self._lifetimes = lifetimes

    async def start(self, tx: Tx, account: Account, visitor: Visitor, now: datetime) -> SignedIn:
        """Signs an account in, within the caller's transaction. Raises when the account cannot be used."""
        self.must_be_usable(account)
        self._unsaved.must_be_written(account.user_id)
        sign_in = SignIn(
            sign_in_id=self._chance.new_id(),
            user_id=account.user_id,
            device=device_name(visitor.user_agent),
            created_at=now,
            used_at=now,
            expires_at=now + self._lifetimes.refresh,
        )
        token = refresh_token(self._chance.secret())
        await tx.add_sign_in(sign_in)
        await tx.add_refresh_token(
            RefreshToken(token_hash=token_hash(token), sign_in_id=sign_in.sign_in_id, issued_at=now)
        )
        await tx.audit(now, account.user_id, "sign_in", sign_in.sign_in_id, {"device": sign_in.device})
        own = OwnAccount(account, await tx.list_passkeys(account.user_id))
        return SignedIn(own, self._pair(account, sign_in, token, now))

    def must_be_usable(self, account: Account) -> None:
        """Raises AccountNotFound, or AccountIsSuspended even before rows say so."""
        account.must_be_usable()
        if self._unsaved.is_suspended(account.user_id):
            raise AccountIsSuspended("an operator suspended this account")

    def access(self, account: Account, sign_in_id: str, now: datetime, scopes: tuple[str, ...] | None = None) -> Tokens:
        """An access token alone."""
        claims = access_claims(
            account, sign_in_id, audience=self._audience, now=now, life=self._lifetimes.access, scopes=scopes
        )
        return Tokens(self._keys.sign(claims), now + self._lifetimes.access)

    @retry_conflicts()
    async def refresh_session(self, token: str) -> Tokens:
        """Trades a refresh token for a new pair. Raises SessionEnded or AccountIsSuspended."""
        if not looks_like_refresh_token(token):
            raise SessionEnded("sign in again")
        now = self._clock.now()
        async with self._store.write() as tx:
            presented = await tx.find_refresh_token(token_hash(token))
            sign_in = None if presented is None else await tx.get_sign_in(presented.sign_in_id)
            account = None if sign_in is None else await tx.get_account(sign_in.user_id)
            gone = account is None or account.state is AccountState.DELETED
            if presented is not None and sign_in is not None and account is not None and not gone:
                self.must_be_usable(account)
                if self._unsaved.has_ended(account.user_id, sign_in.sign_in_id, sign_in.created_at):
                    raise SessionEnded("sign in again")
                self._unsaved.must_be_written(account.user_id)
                next_token = successor_of(token, self._keys.token_key)
                successor = await tx.find_refresh_token(token_hash(next_token))
                outcome = judge_refresh(sign_in, presented, successor, now)
                if outcome is RefreshOutcome.ROTATE:
                    await self._rotate(tx, sign_in, presented, next_token, now)
                if outcome in (RefreshOutcome.ROTATE, RefreshOutcome.REPEAT):
                    return self._pair(account, sign_in, next_token, now)
                if outcome is RefreshOutcome.REUSE:
                    self._counters.refresh_reused()
                    await self._end(tx, sign_in, now, actor="auth", action="refresh_token_reused")
        raise SessionEnded("sign in again")

    async def list_sign_ins(self, user_id: str) -> list[SignIn]:
        """A person's live sign-ins, newest first."""
        async with self._store.read() as tx:
            found = await tx.list_sign_ins(user_id, self._clock.now())
        return [each for each in found if not self._unsaved.has_ended(user_id, each.sign_in_id, each.created_at)]

    async def end_sign_in(self, user_id: str, sign_in_id: str) -> None:
        """Ends one of a person's sign-ins; nothing happens to one that has ended. Raises SignInNotFound."""
        now = self._clock.now()

        async def end(tx: Tx) -> None:
            sign_in = await tx.get_sign_in(sign_in_id)
            if sign_in is None or sign_in.user_id != user_id:
                raise SignInNotFound("there is no such sign-in of yours")
            if sign_in.ended_at is None:
                await self._end(tx, sign_in, now, actor=user_id, action="sign_in_ended")

        await self._unsaved.carry_out(user_id, "end_sign_in", sign_in_id, end)

    async def sign_out(self, user_id: str, sign_in_id: str) -> None:
        """Ends the sign-in of the call; one that is gone is signed out already."""
        try:
            await self.end_sign_in(user_id, sign_in_id)
        except SignInNotFound:
            return

    async def sign_out_everywhere(self, user_id: str) -> None:
        """Ends every sign-in of a person and revokes their personal access tokens."""
        now = self._clock.now()

        async def end(tx: Tx) -> None:
            account = await tx.get_account(user_id)
            if account is None:
                return
            events = account.sign_out_everywhere(now)
            await end_everything(tx, user_id, now)
            await tx.save_account(account)
            await tx.tell(events)
            await tx.audit(now, user_id, "signed_out_everywhere", user_id)

        await self._unsaved.carry_out(user_id, "sign_out_everywhere", user_id, end)

    async def _rotate(self, tx: Tx, sign_in: SignIn, spent: RefreshToken, next_token: str, now: datetime) -> None:
        await tx.spend_refresh_token(spent.token_hash, now)
        await tx.add_refresh_token(
            RefreshToken(token_hash=token_hash(next_token), sign_in_id=sign_in.sign_in_id, issued_at=now)
        )
        sign_in.used_at, sign_in.expires_at = now, now + self._lifetimes.refresh
        await tx.save_sign_in(sign_in)

    async def _end(self, tx: Tx, sign_in: SignIn, now: datetime, *, actor: str, action: str) -> None:
        sign_in.ended_at = now
        await tx.save_sign_in(sign_in)
        await tx.tell([SignedOut(sign_in.user_id, now, sign_in.sign_in_id)])
        await tx.audit(now, actor, action, sign_in.sign_in_id, {"user_id": sign_in.user_id})

    def _pair(self, account: Account, sign_in: SignIn, token: str, now: datetime) -> Tokens:
        access = self.access(account, sign_in.sign_in_id, now)
        return Tokens(access.access_token, access.access_expires_at, token, sign_in.expires_at)


async def end_everything(tx: Tx, user_id: str, now: datetime) -> None:
    """Ends all sign-ins and revokes all personal access tokens of a person."""
    await tx.end_sign_ins(user_id, now)
    await tx.revoke_personal_tokens(user_id, now)
