"""Makes invitations from a person's quota, lists them, takes them back, lets them expire."""

from dataclasses import dataclass
from datetime import timedelta

from services.common.clock import Clock
from services.common.errors import Conflict
from services.common.facts.outbox import StoredFact
from services.common.ids import new_id
from services.common.rpc.pages import read_place, write_place
from services.common.store.database import retry_conflicts
from services.invite.app.ports import Accounts, Counters, Store, Tx
from services.invite.domain.codes import code_hash, code_of, link_of
from services.invite.domain.errors import InvitationNotFound, NoInvitationsLeft, PersonNotFound
from services.invite.domain.invitation import Invitation, Quota, State, clean_note
from services.invite.domain.people import Person

DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """An invitation as its maker sees it; the link is empty once it no longer works."""

    invitation: Invitation
    link: str
    guest: Person | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The deployment's numbers and its secret."""

    quota: int
    life: timedelta
    public_url: str
    code_secret: bytes

    def code_of(self, invitation_id: str) -> str:
        """The code of an invitation, as long as the secret is the one it was derived from."""
        return code_of(self.code_secret, invitation_id)

    def link_of(self, invitation_id: str) -> str:
        """The link with that code."""
        return link_of(self.public_url, self.code_of(invitation_id))


class Invitations:
    """What people do with their invitations."""

    def __init__(self, *, store: Store, accounts: Accounts, clock: Clock, counters: Counters, rules: Rules) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._counters = counters
        self._rules = rules

    async def list_own(self, user_id: str, page_size: int = 0, page_token: str = "") -> tuple[list[Shown], Quota, str]:
        """A page of a person's invitations, newest first, their quota, and the token of the next page.

        Raises FieldInvalid for a made-up token.
        """
        limit = page_size or DEFAULT_PAGE
        async with self._store.read() as tx:
            found = await tx.list_invitations(user_id, read_place(page_token), limit + 1)
            quota = await tx.get_quota(user_id) or Quota(self._rules.quota, 0)
        page = found[:limit]
        guests = await self._accounts.people(each.guest_id for each in page if each.guest_id)
        more = write_place(page[-1].created_at, page[-1].invitation_id) if len(found) > limit else ""
        return [self._shown(each, guests) for each in page], quota, more

    async def link_to_draw(self, user_id: str, invitation_id: str) -> str:
        """The link of an unspent invitation. Raises InvitationNotFound or InvitationSpent."""
        async with self._store.read() as tx:
            invitation = await tx.get_invitation(invitation_id)
        if invitation is None:
            raise InvitationNotFound("there is no such invitation of yours")
        invitation.check_note_can_change(user_id)
        return self._link(invitation)

    @retry_conflicts()
    async def create(self, user_id: str, request_id: str, note: str, room_id: str) -> Shown:
        """A new invitation, or the one this request made before. Raises NoInvitationsLeft."""
        now = self._clock.now()
        invitation_id = new_id()
        invitation = Invitation(
            invitation_id=invitation_id,
            inviter_id=user_id,
            code_hash=code_hash(self._rules.code_of(invitation_id)),
            request_id=request_id,
            note=clean_note(note),
            room_id=room_id,
            state=State.OPEN,
            created_at=now,
            expires_at=now + self._rules.life,
        )
        async with self._store.write() as tx:
            made_before = await tx.find_by_request(user_id, request_id)
            if made_before is not None:
                return self._shown(made_before, {})
            await tx.ensure_quota(user_id, self._rules.quota)
            if not await tx.take_from_quota(user_id):
                raise NoInvitationsLeft("you have no invitations left")
            await tx.add_invitation(invitation)
            await tx.audit(now, user_id, "invitation_created", invitation_id)
        self._counters.invitations("created")
        return self._shown(invitation, {})

    @retry_conflicts()
    async def revoke(self, user_id: str, invitation_id: str) -> Quota:
        """Takes an unspent one back into the quota. Raises InvitationNotFound, InvitationSpent, InvitationClaimed."""
        now = self._clock.now()
        async with self._store.write() as tx:
            invitation = await tx.get_invitation(invitation_id)
            if invitation is None:
                raise InvitationNotFound("there is no such invitation of yours")
            if invitation.check_can_be_taken_back(user_id, now):
                if not await tx.revoke(invitation_id):
                    raise Conflict("the invitation changed meanwhile")
                await tx.give_back_to_quota(user_id)
                await tx.audit(now, user_id, "invitation_revoked", invitation_id)
                self._counters.invitations("revoked")
            return await self._quota(tx, user_id)

    @retry_conflicts()
    async def update_note(self, user_id: str, invitation_id: str, note: str) -> Shown:
        """Changes the note of an unspent one. Raises InvitationNotFound or InvitationSpent."""
        text = clean_note(note)
        async with self._store.write() as tx:
            invitation = await tx.get_invitation(invitation_id)
            if invitation is None:
                raise InvitationNotFound("there is no such invitation of yours")
            invitation.check_note_can_change(user_id)
            changed = await tx.change_note(invitation_id, text)
            if changed is None:
                raise Conflict("the invitation changed meanwhile")
        return self._shown(changed, {})

    @retry_conflicts()
    async def grant(self, operator_id: str, request_id: str, user_id: str, count: int) -> Quota:
        """Gives a person more; the same request twice gives once. Raises PersonNotFound."""
        if user_id not in await self._accounts.people([user_id]):
            raise PersonNotFound("there is no such person")
        now = self._clock.now()
        async with self._store.write() as tx:
            await tx.ensure_quota(user_id, self._rules.quota)
            if await tx.add_to_quota(request_id, operator_id, user_id, count, now):
                await tx.audit(now, operator_id, "invitations_granted", user_id, {"count": count})
            return await self._quota(tx, user_id)

    async def expire(self) -> None:
        """Lets invitations past their time return to their quotas; run it now and then."""
        while await self._expire_some():
            pass

    async def list_facts(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        return await self._store.facts_after(after, limit)

    async def _expire_some(self) -> int:
        now = self._clock.now()
        async with self._store.write() as tx:
            expired = await tx.expire(now)
            for invitation in expired:
                await tx.give_back_to_quota(invitation.inviter_id)
                await tx.audit(now, "invite", "invitation_expired", invitation.invitation_id)
        self._counters.invitations("expired", len(expired))
        return len(expired)

    async def _quota(self, tx: Tx, user_id: str) -> Quota:
        return await tx.get_quota(user_id) or Quota(self._rules.quota, 0)

    def _shown(self, invitation: Invitation, guests: dict[str, Person]) -> Shown:
        guest = guests.get(invitation.guest_id, Person(user_id=invitation.guest_id)) if invitation.guest_id else None
        return Shown(invitation, self._link(invitation), guest)

    def _link(self, invitation: Invitation) -> str:
        """Empty once it no longer works, or when the secret it was derived from is lost."""
        code = self._rules.code_of(invitation.invitation_id)
        works = invitation.state in (State.OPEN, State.CLAIMED) and code_hash(code) == invitation.code_hash
        return self._rules.link_of(invitation.invitation_id) if works else ""
