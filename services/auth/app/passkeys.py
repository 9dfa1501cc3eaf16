"""Signs people in with passkeys, adds and removes passkeys."""

from datetime import datetime

from services.auth.app.accounts import own_account
from services.auth.app.ports import Chance, Counters, Limits, Passkeys, Store, Visitor
from services.auth.app.sessions import OwnAccount, Sessions, SignedIn
from services.auth.domain import limits as rates
from services.auth.domain import names
from services.auth.domain.account import Passkey
from services.auth.domain.challenge import PASSKEY_CHALLENGE_LIFE, Challenge, ChallengeKind
from services.auth.domain.errors import ChallengeInvalid, PasskeyInvalid
from services.auth.domain.sign_in import device_name
from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.store.database import retry_conflicts


class PasskeyWays:
    """The WebAuthn ceremonies of people."""

    def __init__(
        self,
        *,
        store: Store,
        sessions: Sessions,
        passkeys: Passkeys,
        limits: Limits,
        chance: Chance,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passkeys = passkeys
        self._limits = limits
        self._chance = chance
        self._clock = clock
        self._counters = counters

    async def start_sign_in(self, visitor: Visitor) -> tuple[str, str]:
        """Id and options of a fresh challenge. Raises RateLimited."""
        self._limits.take(rates.PASSKEY_STARTS_PER_NETWORK, visitor.network)
        self._limits.take(rates.PASSKEY_STARTS_PER_DEPLOYMENT)
        challenge = await self._ask(ChallengeKind.PASSKEY_SIGN_IN, "")
        return challenge.challenge_id, self._passkeys.sign_in_options(challenge.secret)

    async def finish_sign_in(self, challenge_id: str, credential_json: str, visitor: Visitor) -> SignedIn:
        """Signs in. Raises ChallengeInvalid, PasskeyInvalid, PasskeyCopied, AccountIsSuspended or RateLimited."""
        self._limits.take(rates.BAD_PASSKEYS_PER_NETWORK, visitor.network)
        try:
            challenge = await self._use(challenge_id, ChallengeKind.PASSKEY_SIGN_IN, "")
            signed_in = await self._check_and_start(challenge, credential_json, visitor)
        except DomainError as refusal:
            self._counters.sign_in("passkey", refusal.reason.lower())
            raise
        self._limits.give_back(rates.BAD_PASSKEYS_PER_NETWORK, visitor.network)
        self._counters.sign_in("passkey", "ok")
        return signed_in

    async def start_registration(self, user_id: str) -> tuple[str, str]:
        """Id and options of a fresh challenge for one more passkey. Raises AccountNotFound."""
        async with self._store.read() as tx:
            own = await own_account(tx, user_id)
        challenge = await self._ask(ChallengeKind.PASSKEY_REGISTRATION, user_id)
        options = self._passkeys.registration_options(own.account, own.passkeys, challenge.secret)
        return challenge.challenge_id, options

    async def finish_registration(
        self, user_id: str, challenge_id: str, credential_json: str, label: str, visitor: Visitor
    ) -> OwnAccount:
        """Adds the passkey. Raises ChallengeInvalid or PasskeyInvalid."""
        challenge = await self._use(challenge_id, ChallengeKind.PASSKEY_REGISTRATION, user_id)
        found = self._passkeys.check_registration(credential_json, challenge.secret)
        passkey = Passkey(
            passkey_id=self._chance.new_id(),
            user_id=user_id,
            credential_id=found.credential_id,
            public_key=found.public_key,
            sign_count=found.sign_count,
            label=names.label(label) or device_name(visitor.user_agent),
            created_at=self._clock.now(),
        )
        return await self._add(passkey)

    @retry_conflicts()
    async def delete_passkey(self, user_id: str, passkey_id: str) -> OwnAccount:
        """Removes one of the caller's passkeys; one that is gone stays gone. Raises LastWayIn."""
        now = self._clock.now()
        async with self._store.write() as tx:
            own = await own_account(tx, user_id)
            left = [passkey for passkey in own.passkeys if passkey.passkey_id != passkey_id]
            if len(left) < len(own.passkeys):
                own.account.check_way_in_left(len(left))
                await tx.delete_passkey(user_id, passkey_id)
                # A revision of the account, so that two removals at once cannot both think the other passkey stays.
                await tx.save_account(own.account)
                await tx.audit(now, user_id, "passkey_deleted", passkey_id)
            return OwnAccount(own.account, left)

    async def _ask(self, kind: ChallengeKind, user_id: str) -> Challenge:
        now = self._clock.now()
        challenge = Challenge(
            challenge_id=self._chance.new_id(),
            kind=kind,
            secret=self._chance.secret(),
            created_at=now,
            expires_at=now + PASSKEY_CHALLENGE_LIFE,
            user_id=user_id,
        )
        async with self._store.write() as tx:
            await tx.add_challenge(challenge)
        return challenge

    @retry_conflicts()
    async def _use(self, challenge_id: str, kind: ChallengeKind, user_id: str) -> Challenge:
        """Spends the challenge before the answer is looked at: each is good for one look. Raises ChallengeInvalid."""
        now = self._clock.now()
        async with self._store.write() as tx:
            challenge = await tx.get_challenge(challenge_id)
            if challenge is None:
                raise ChallengeInvalid("begin again: there is no such challenge")
            challenge.check_open(kind, user_id, now)
            challenge.used_at = now
            await tx.save_challenge(challenge)
        return challenge

    @retry_conflicts()
    async def _check_and_start(self, challenge: Challenge, credential_json: str, visitor: Visitor) -> SignedIn:
        now = self._clock.now()
        async with self._store.write() as tx:
            passkey = await tx.find_passkey(self._passkeys.credential_id(credential_json))
            account = None if passkey is None else await tx.get_account(passkey.user_id)
            if passkey is None or account is None:
                raise PasskeyInvalid("no account here knows this passkey")
            passkey.sign_count = self._passkeys.check_sign_in(credential_json, challenge.secret, passkey)
            passkey.used_at = now
            await tx.save_passkey(passkey)
            return await self._sessions.start(tx, account, visitor, now)

    @retry_conflicts()
    async def _add(self, passkey: Passkey) -> OwnAccount:
        now: datetime = passkey.created_at
        async with self._store.write() as tx:
            if await tx.find_passkey(passkey.credential_id) is not None:
                raise PasskeyInvalid("this passkey is registered already")
            await own_account(tx, passkey.user_id)
            await tx.add_passkey(passkey)
            await tx.audit(now, passkey.user_id, "passkey_added", passkey.passkey_id)
            return await own_account(tx, passkey.user_id)
