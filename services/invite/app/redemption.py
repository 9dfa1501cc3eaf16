"""Lets a friend in: claim the invitation, have auth create the account, confirm; and cleans up after crashes."""

import contextlib
from datetime import timedelta
from typing import Any

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.ids import new_id
from services.common.sight.log import get_logger
from services.common.store.database import retry_conflicts
from services.invite.app.ports import Accounts, Counters, Doors, Limits, NewAccount, Store, Tx, Visitor
from services.invite.domain import limits as rates
from services.invite.domain.codes import code_hash, request_hash
from services.invite.domain.errors import DoorsPaced, DoorsPaused, InvitationClaimed, InvitationInvalid, RateLimited
from services.invite.domain.events import InvitationRedeemed
from services.invite.domain.invitation import Invitation, Step
from services.invite.domain.people import Person

_LOOKS = 4
_STALE_CLAIMS_A_ROUND = 100
# Auth's refusals that leave no doubt: no account came of the call.
_DEFINITE = frozenset({"invalid_argument", "already_exists", "failed_precondition", "not_found", "permission_denied"})

_log = get_logger("redemption")


class Redemptions:
    """Redeeming invitations. At every moment an invitation leads to at most one account.

    The account is created under the claim's redemption id, which auth accepts once. A claim is given up only after
    auth has settled that id, so an answer that was lost or comes late can never make a second guest.
    """

    def __init__(
        self,
        *,
        store: Store,
        accounts: Accounts,
        limits: Limits,
        clock: Clock,
        counters: Counters,
        doors: Doors,
        claim_life: timedelta,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._limits = limits
        self._clock = clock
        self._counters = counters
        self._doors = doors
        self._claim_life = claim_life

    async def get_invitation(self, code: str, visitor: Visitor) -> tuple[Invitation, Person]:
        """What an invitation says, and who invites. Raises InvitationInvalid or RateLimited."""
        self._take_code_limits(visitor)
        async with self._store.read() as tx:
            invitation = await tx.find_by_code(code_hash(code))
            if invitation is None or not await tx.in_good_standing(invitation.inviter_id):
                raise InvitationInvalid
        invitation.check_shown_to_guest(self._clock.now())
        inviter = (await self._accounts.people([invitation.inviter_id])).get(invitation.inviter_id)
        if inviter is None:
            raise InvitationInvalid
        self._give_back_code_limits(visitor)
        return invitation, inviter

    async def redeem(self, code: str, request_id: str, profile: Any, visitor: Visitor) -> tuple[NewAccount, str]:
        """The new account and the room the invitation leads to.

        Raises InvitationInvalid, InvitationClaimed, RateLimited, what the doors refuse (DoorsPaced, DoorsPaused,
        LineFull), and what auth refuses.
        """
        try:
            self._limits.take(rates.REDEMPTIONS_PER_NETWORK, visitor.network)
            self._limits.take(rates.REDEMPTIONS_PER_DEPLOYMENT)
            self._take_code_limits(visitor)
            claimed = await self._claimed(code_hash(code), request_hash(request_id))
            self._give_back_code_limits(visitor)
            account = await self._create(claimed, profile, visitor)
            await self._confirm(claimed.redemption_id, account.user_id)
        except DomainError as refusal:
            if isinstance(refusal, DoorsPaced | DoorsPaused):
                await self._check_who_waits(profile, visitor)
                self._excuse_waiting(code, visitor)
            self._counters.redemption(refusal.reason.lower())
            raise
        self._counters.redemption("ok")
        return account, claimed.room_id

    async def _check_who_waits(self, profile: Any, visitor: Visitor) -> None:
        """Refuses at once what would be refused at their turn, as a username that is taken; the place stays theirs.

        Who holds a good code could learn that at any open door: usernames are what people in rooms go by, and of the
        person behind one, their address least of all, nothing is told. It counts for their network as any redemption.
        """
        try:
            await self._accounts.check_new_profile(profile)
        except DomainError as refusal:
            # An auth that cannot answer now lets people wait all the same.
            if refusal.kind in _DEFINITE:
                self._give_back_code_limits(visitor)
                self._counters.redemption(refusal.reason.lower())
                raise

    def _excuse_waiting(self, code: str, visitor: Visitor) -> None:
        """Whoever the doors let wait has a good code, and a whole hall may wait behind one address."""
        self._give_back_code_limits(visitor)
        with contextlib.suppress(RateLimited):
            self._limits.take(rates.EXCUSED_PER_CODE, code_hash(code))
            self._limits.give_back(rates.REDEMPTIONS_PER_NETWORK, visitor.network)

    async def settle_stale_claims(self) -> None:
        """Finishes or gives back what crashes left behind; run it now and then."""
        async with self._store.read() as tx:
            stale = await tx.stale_claims(self._clock.now(), _STALE_CLAIMS_A_ROUND)
        for invitation in stale:
            await self._try_to_settle(invitation.redemption_id)

    async def _claimed(self, code: str, request: str) -> Invitation:
        """The invitation, claimed by this request. Raises InvitationInvalid, InvitationClaimed, and as doors do."""
        for _ in range(_LOOKS):
            step, invitation, refusal = await self._look(code, request)
            if refusal is not None:
                raise refusal
            if step is Step.RESUME:
                return invitation
            if step is Step.SETTLE:
                await self._settle(invitation.redemption_id)
        raise InvitationClaimed("somebody is redeeming it just now", retry_after_seconds=1.0)

    @retry_conflicts()
    async def _look(self, code: str, request: str) -> tuple[Step, Invitation, DomainError | None]:
        """Where the invitation stands for this request; an open one is claimed, so that the next look resumes.

        Or what the doors refuse with: then it stays open, and its place in the line is kept with this transaction.
        """
        now = self._clock.now()
        async with self._store.write() as tx:
            invitation = await tx.find_by_code(code)
            if invitation is None:
                raise InvitationInvalid
            step = invitation.next_step(request, now, self._claim_life)
            if step is Step.CLAIM:
                if not await tx.in_good_standing(invitation.inviter_id):
                    raise InvitationInvalid
                redemption_id, until = new_id(), now + self._claim_life
                refusal = await self._doors.enter(tx, invitation, redemption_id, request)
                if refusal is not None:
                    return step, invitation, refusal
                if not await tx.claim(invitation.invitation_id, redemption_id, request, until, now):
                    raise InvitationInvalid
            return step, invitation, None

    async def _create(self, claimed: Invitation, profile: Any, visitor: Visitor) -> NewAccount:
        """Auth's answer. After a definite refusal the claim is given up at once: the code can be tried again."""
        try:
            return await self._accounts.create_account(claimed.redemption_id, profile, claimed.inviter_id, visitor)
        except DomainError as refusal:
            if refusal.kind in _DEFINITE:
                await self._try_to_settle(claimed.redemption_id)
            if refusal.reason == "REDEMPTION_CLOSED":
                raise InvitationClaimed("this try was given up; try again", retry_after_seconds=1.0) from refusal
            raise

    @retry_conflicts()
    async def _confirm(self, redemption_id: str, guest_id: str) -> None:
        """Spends the invitation; a redemption that is confirmed already stays so."""
        now = self._clock.now()
        async with self._store.write() as tx:
            spent = await tx.confirm(redemption_id, guest_id, now)
            if spent is not None:
                await tx.leave_place(spent.invitation_id)
                await self._welcome(tx, spent, guest_id)

    async def _welcome(self, tx: Tx, spent: Invitation, guest_id: str) -> None:
        now = spent.spent_at or self._clock.now()
        await tx.add_person(guest_id, spent.inviter_id, now)
        await tx.tell([InvitationRedeemed(guest_id, now, spent.inviter_id, spent.room_id)])
        detail = {"invitation_id": spent.invitation_id, "inviter_id": spent.inviter_id}
        await tx.audit(now, guest_id, "invitation_redeemed", guest_id, detail)

    async def _try_to_settle(self, redemption_id: str) -> None:
        """The same, left to the next round when auth cannot be asked now."""
        try:
            await self._settle(redemption_id)
        except DomainError as error:
            _log.warning("a claim cannot be settled now", redemption_id=redemption_id, reason=error.reason)

    async def _settle(self, redemption_id: str) -> None:
        """Confirms a claim that led to an account, gives back one that did not and never will."""
        guest_id = await self._accounts.settle_redemption(redemption_id)
        if guest_id:
            await self._confirm(redemption_id, guest_id)
            self._counters.invitations("claim_confirmed")
            return
        async with self._store.write() as tx:
            if await tx.release(redemption_id):
                # Nobody came: whoever tries again is at the place they had, and another may come meanwhile.
                await tx.take_back_entry(redemption_id)
                await tx.audit(self._clock.now(), "invite", "claim_released", redemption_id)
                self._counters.invitations("claim_released")
                _log.info("a claim was given back", redemption_id=redemption_id)

    def _take_code_limits(self, visitor: Visitor) -> None:
        self._limits.take(rates.BAD_CODES_PER_NETWORK, visitor.network)
        self._limits.take(rates.BAD_CODES_PER_DEPLOYMENT)

    def _give_back_code_limits(self, visitor: Visitor) -> None:
        self._limits.give_back(rates.BAD_CODES_PER_NETWORK, visitor.network)
        self._limits.give_back(rates.BAD_CODES_PER_DEPLOYMENT)
