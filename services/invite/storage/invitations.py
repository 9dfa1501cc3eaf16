"""Quotas and invitations in and out of the tables, each change one conditional update."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.store.database import Conflict
from services.invite.domain.invitation import Invitation, Quota, State
from services.invite.storage.tables import grants, invitations, people, quotas
from services.invite.storage.upsert import insert_into

EXPIRE_AT_ONCE = 200


class InvitationRows:
    """Rows of one transaction; an invitation is locked when it is read for writing."""

    def __init__(self, session: AsyncSession, *, writing: bool) -> None:
        self._session = session
        self._writing = writing

    async def ensure_quota(self, user_id: str, granted: int) -> None:
        """Gives a person their first quota, unless they have one."""
        insert = insert_into(self._session, quotas).values(user_id=user_id, granted=granted, used=0)
        await self._session.execute(insert.on_conflict_do_nothing(index_elements=["user_id"]))

    async def get_quota(self, user_id: str) -> Quota | None:
        """A person's quota."""
        row = (await self._session.execute(select(quotas).where(quotas.c.user_id == user_id))).one_or_none()
        return None if row is None else Quota(row.granted, row.used)

    async def take_from_quota(self, user_id: str) -> bool:
        """Uses one up; False when none is left."""
        statement = update(quotas).where(quotas.c.user_id == user_id, quotas.c.used < quotas.c.granted)
        return await self._changed(statement.values(used=quotas.c.used + 1).returning(quotas.c.user_id))

    async def give_back_to_quota(self, user_id: str) -> None:
        """One came back."""
        statement = update(quotas).where(quotas.c.user_id == user_id, quotas.c.used > 0)
        await self._session.execute(statement.values(used=quotas.c.used - 1))

    async def add_to_quota(self, request_id: str, operator_id: str, user_id: str, count: int, now: datetime) -> bool:
        """Grants more; False when this request has done so before."""
        insert = insert_into(self._session, grants).values(
            request_id=request_id, operator_id=operator_id, user_id=user_id, count=count, at=now
        )
        inserted = insert.on_conflict_do_nothing(index_elements=["request_id"]).returning(grants.c.request_id)
        if not await self._changed(inserted):
            return False
        statement = update(quotas).where(quotas.c.user_id == user_id)
        await self._session.execute(statement.values(granted=quotas.c.granted + count))
        return True

    async def add_invitation(self, invitation: Invitation) -> None:
        """Stores a new one. Raises Conflict when its request made one meanwhile."""
        values = asdict(invitation) | {"state": invitation.state.value, "redemption_id": None, "guest_id": None}
        try:
            await self._session.execute(invitations.insert().values(values))
        except IntegrityError as error:
            raise Conflict("this request made an invitation meanwhile") from error

    async def get_invitation(self, invitation_id: str) -> Invitation | None:
        return await self._one(invitations.c.invitation_id == invitation_id)

    async def find_by_request(self, inviter_id: str, request_id: str) -> Invitation | None:
        """The one that a request made."""
        return await self._one(invitations.c.inviter_id == inviter_id, invitations.c.request_id == request_id)

    async def find_by_code(self, code_hash: str) -> Invitation | None:
        return await self._one(invitations.c.code_hash == code_hash)

    async def list_invitations(
        self, inviter_id: str, after: tuple[datetime, str] | None, limit: int
    ) -> list[Invitation]:
        """A person's invitations, newest first, without those taken back, from after a place in that order."""
        query = select(invitations).where(
            invitations.c.inviter_id == inviter_id, invitations.c.state != State.REVOKED.value
        )
        if after is not None:
            at, invitation_id = after
            same_moment = and_(invitations.c.created_at == at, invitations.c.invitation_id > invitation_id)
            query = query.where(or_(invitations.c.created_at < at, same_moment))
        order = (invitations.c.created_at.desc(), invitations.c.invitation_id)
        return [_invitation(row) for row in await self._session.execute(query.order_by(*order).limit(limit))]

    async def claim(
        self, invitation_id: str, redemption_id: str, request_hash: str, until: datetime, now: datetime
    ) -> bool:
        """Open, unexpired and of a person in good standing -> claimed."""
        barred = exists().where(people.c.user_id == invitations.c.inviter_id, people.c.standing != "active")
        statement = update(invitations).where(
            invitations.c.invitation_id == invitation_id,
            invitations.c.state == State.OPEN.value,
            invitations.c.expires_at > now,
            ~barred,
        )
        values = {
            "state": State.CLAIMED.value,
            "redemption_id": redemption_id,
            "claim_request_hash": request_hash,
            "claimed_until": until,
        }
        return await self._changed(statement.values(values).returning(invitations.c.invitation_id))

    async def release(self, redemption_id: str) -> bool:
        """Claimed by this redemption -> open."""
        values = {"state": State.OPEN.value, "redemption_id": None, "claim_request_hash": "", "claimed_until": None}
        statement = self._claimed_by(redemption_id).values(values)
        return await self._changed(statement.returning(invitations.c.invitation_id))

    async def confirm(self, redemption_id: str, guest_id: str, now: datetime) -> Invitation | None:
        """Claimed by this redemption -> spent."""
        values = {"state": State.SPENT.value, "guest_id": guest_id, "spent_at": now, "claimed_until": None}
        statement = self._claimed_by(redemption_id).values(values).returning(*invitations.c)
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else _invitation(row)

    async def revoke(self, invitation_id: str) -> bool:
        """Open -> revoked."""
        statement = update(invitations).where(
            invitations.c.invitation_id == invitation_id, invitations.c.state == State.OPEN.value
        )
        return await self._changed(statement.values(state=State.REVOKED.value).returning(invitations.c.invitation_id))

    async def revoke_all(self, inviter_id: str) -> int:
        """All open ones of a person -> revoked; how many."""
        statement = update(invitations).where(
            invitations.c.inviter_id == inviter_id, invitations.c.state == State.OPEN.value
        )
        revoked = statement.values(state=State.REVOKED.value).returning(invitations.c.invitation_id)
        count = len((await self._session.execute(revoked)).all())
        give_back = update(quotas).where(quotas.c.user_id == inviter_id)
        await self._session.execute(give_back.values(used=quotas.c.used - count))
        return count

    async def forget_notes(self, user_id: str) -> None:
        """Empties the notes that a person wrote, and the one that was written of them."""
        theirs = or_(invitations.c.inviter_id == user_id, invitations.c.guest_id == user_id)
        await self._session.execute(update(invitations).where(theirs).values(note=""))

    async def change_note(self, invitation_id: str, note: str) -> Invitation | None:
        """A new note on an unspent one."""
        statement = update(invitations).where(
            invitations.c.invitation_id == invitation_id,
            invitations.c.state.in_([State.OPEN.value, State.CLAIMED.value]),
        )
        row = (await self._session.execute(statement.values(note=note).returning(*invitations.c))).one_or_none()
        return None if row is None else _invitation(row)

    async def expire(self, now: datetime) -> list[Invitation]:
        """Open ones past their time -> expired; some of them, if there are many."""
        past = (invitations.c.state == State.OPEN.value, invitations.c.expires_at <= now)
        some = select(invitations.c.invitation_id).where(*past).order_by(invitations.c.invitation_id)
        statement = update(invitations).where(*past, invitations.c.invitation_id.in_(some.limit(EXPIRE_AT_ONCE)))
        rows = await self._session.execute(statement.values(state=State.EXPIRED.value).returning(*invitations.c))
        return [_invitation(row) for row in rows]

    async def stale_claims(self, now: datetime, limit: int) -> list[Invitation]:
        """Claims past their time."""
        query = select(invitations).where(
            invitations.c.state == State.CLAIMED.value, invitations.c.claimed_until <= now
        )
        rows = await self._session.execute(query.order_by(invitations.c.claimed_until).limit(limit))
        return [_invitation(row) for row in rows]

    def _claimed_by(self, redemption_id: str) -> Any:
        return update(invitations).where(
            invitations.c.redemption_id == redemption_id, invitations.c.state == State.CLAIMED.value
        )

    async def _changed(self, statement: Any) -> bool:
        return (await self._session.execute(statement)).one_or_none() is not None

    async def _one(self, *conditions: Any) -> Invitation | None:
        query = select(invitations).where(*conditions)
        if self._writing:
            query = query.with_for_update()
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _invitation(row)


def _invitation(row: Any) -> Invitation:
    values = dict(row._mapping)
    values |= {
        "state": State(row.state),
        "redemption_id": row.redemption_id or "",
        "guest_id": row.guest_id or "",
    }
    return Invitation(**values)
