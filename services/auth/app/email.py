"""Signs people in with codes sent by e-mail, and changes their address."""

from datetime import datetime

from services.auth.app.accounts import own_account
from services.auth.app.ports import Chance, Counters, Keys, Limits, Mail, Store, Tx, Visitor
from services.auth.app.sessions import OwnAccount, Sessions, SignedIn
from services.auth.domain import limits as rates
from services.auth.domain.account import Account, locale_of
from services.auth.domain.challenge import (
    CODE_LIFE,
    CODE_TRIES,
    Challenge,
    ChallengeKind,
    code_digits,
    code_hash,
    wrong_code,
)
from services.auth.domain.errors import ChallengeInvalid, EmailTaken, MailUnavailable
from services.auth.domain.names import email_address
from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.store.database import retry_conflicts


class EmailWays:
    """One-time codes by e-mail."""

    def __init__(
        self,
        *,
        store: Store,
        sessions: Sessions,
        mail: Mail,
        limits: Limits,
        keys: Keys,
        chance: Chance,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._mail = mail
        self._limits = limits
        self._keys = keys
        self._chance = chance
        self._clock = clock
        self._counters = counters

    async def start_sign_in(self, email: str, locale: str, visitor: Visitor) -> tuple[str, datetime]:
        """Id and end of a challenge; whether an account has the address cannot be told from answer or time.

        Raises MailUnavailable or RateLimited.
        """
        self._must_deliver()
        address = email_address(email)
        self._take_code_limits(address, visitor)
        async with self._store.write() as tx:
            account = await tx.find_by_email(address)
            user_id = "" if account is None else account.user_id
            challenge, code = self._new_challenge(ChallengeKind.EMAIL_SIGN_IN, address, user_id)
            await tx.add_challenge(challenge)
        if account is not None:
            self._mail.send_code(address, locale_of(locale), code)
        return challenge.challenge_id, challenge.expires_at

    async def finish_sign_in(self, challenge_id: str, code: str, visitor: Visitor) -> SignedIn:
        """Signs in. Raises FieldInvalid, ChallengeInvalid, CodeWrong, AccountIsSuspended or RateLimited."""
        try:
            result = await self._answer(challenge_id, code_digits(code), visitor)
            if isinstance(result, DomainError):
                raise result
        except DomainError as refusal:
            self._counters.sign_in("email", refusal.reason.lower())
            raise
        self._counters.sign_in("email", "ok")
        return result

    async def start_change(self, user_id: str, email: str, visitor: Visitor) -> tuple[str, datetime]:
        """Sends a code to the address the caller wants. Raises MailUnavailable, RateLimited or AccountNotFound."""
        self._must_deliver()
        address = email_address(email)
        self._take_code_limits(address, visitor)
        async with self._store.write() as tx:
            own = await own_account(tx, user_id)
            challenge, code = self._new_challenge(ChallengeKind.EMAIL_CHANGE, address, user_id)
            await tx.add_challenge(challenge)
        self._mail.send_address_code(address, own.account.locale, code)
        return challenge.challenge_id, challenge.expires_at

    async def finish_change(self, user_id: str, challenge_id: str, code: str, visitor: Visitor) -> OwnAccount:
        """Makes the address the caller's. Raises FieldInvalid, ChallengeInvalid, CodeWrong, EmailTaken, RateLimited."""
        result, before = await self._change(user_id, challenge_id, code_digits(code), visitor)
        if isinstance(result, DomainError):
            raise result
        if before and before != result.account.email:
            self._mail.send_address_changed(before, result.account.locale, result.account.email)
        return result

    def _must_deliver(self) -> None:
        if not self._mail.can_deliver:
            raise MailUnavailable("this server sends no e-mail: its operator has set no mail server")

    def _take_code_limits(self, address: str, visitor: Visitor) -> None:
        self._limits.take(rates.CODES_PER_NETWORK, visitor.network)
        self._limits.take(rates.CODES_PER_ADDRESS, address)
        self._limits.take(rates.CODES_PER_DEPLOYMENT)

    def _new_challenge(self, kind: ChallengeKind, address: str, user_id: str) -> tuple[Challenge, str]:
        now, challenge_id, code = self._clock.now(), self._chance.new_id(), self._chance.code()
        challenge = Challenge(
            challenge_id=challenge_id,
            kind=kind,
            secret=code_hash(self._keys.token_key, challenge_id, code),
            created_at=now,
            expires_at=now + CODE_LIFE,
            user_id=user_id,
            email=address,
            tries_left=CODE_TRIES,
        )
        return challenge, code

    @retry_conflicts()
    async def _answer(self, challenge_id: str, code: str, visitor: Visitor) -> SignedIn | DomainError:
        """A refusal that must not undo the spent try is returned, others are raised."""
        now = self._clock.now()
        async with self._store.write() as tx:
            challenge = await self._open_challenge(tx, challenge_id, ChallengeKind.EMAIL_SIGN_IN, "", now)
            refusal = await self._try(tx, challenge, code, visitor, now)
            if refusal is not None:
                return refusal
            account = await tx.get_account(challenge.user_id)
            if account is None or account.email != challenge.email:
                return ChallengeInvalid("begin again: the address signs nobody in any more")
            try:
                return await self._sessions.start(tx, account, visitor, now)
            except DomainError as suspended:
                return suspended

    @retry_conflicts()
    async def _change(
        self, user_id: str, challenge_id: str, code: str, visitor: Visitor
    ) -> tuple[OwnAccount | DomainError, str]:
        now = self._clock.now()
        async with self._store.write() as tx:
            challenge = await self._open_challenge(tx, challenge_id, ChallengeKind.EMAIL_CHANGE, user_id, now)
            refusal = await self._try(tx, challenge, code, visitor, now)
            if refusal is not None:
                return refusal, ""
            own = await own_account(tx, user_id)
            holder = await tx.find_by_email(challenge.email)
            if holder is not None and holder.user_id != user_id:
                return EmailTaken("another account signs in with this address"), ""
            before = own.account.email
            await self._set_address(tx, own.account, challenge.email, now)
            return own, before

    async def _set_address(self, tx: Tx, account: Account, address: str, now: datetime) -> None:
        account.email = address
        await tx.save_account(account)
        await tx.audit(now, account.user_id, "email_changed", account.user_id)

    async def _open_challenge(
        self, tx: Tx, challenge_id: str, kind: ChallengeKind, user_id: str, now: datetime
    ) -> Challenge:
        challenge = await tx.get_challenge(challenge_id)
        if challenge is None:
            raise ChallengeInvalid("begin again: there is no such challenge")
        challenge.check_open(kind, user_id, now)
        return challenge

    async def _try(
        self, tx: Tx, challenge: Challenge, code: str, visitor: Visitor, now: datetime
    ) -> DomainError | None:
        """Spends a try; None when the code is right. Right codes do not count against the limits of wrong ones."""
        self._limits.take(rates.WRONG_CODES_PER_NETWORK, visitor.network)
        self._limits.take(rates.WRONG_CODES_PER_ADDRESS, challenge.email)
        right = challenge.answer_code(code, self._keys.token_key, now)
        await tx.save_challenge(challenge)
        if not right:
            return wrong_code(challenge.tries_left)
        self._limits.give_back(rates.WRONG_CODES_PER_NETWORK, visitor.network)
        self._limits.give_back(rates.WRONG_CODES_PER_ADDRESS, challenge.email)
        return None
