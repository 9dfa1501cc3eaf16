"""Addresses left with places before the doors, and the letters that went to them, in and out of the tables."""

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.invite.domain.letters import Letter
from services.invite.domain.line import Entered
from services.invite.storage.doors import waits
from services.invite.storage.tables import invitations, places


class LetterRows:
    """Rows of one transaction."""

    _session: AsyncSession

    async def letters_sent(self, invitation_id: str) -> int:
        """How many letters went out by a code."""
        query = select(invitations.c.turn_letters).where(invitations.c.invitation_id == invitation_id)
        return (await self._session.scalar(query)) or 0

    async def leave_address(self, invitation_id: str, address: str, locale: str, at: datetime) -> bool:
        """Notes where a place's letter goes, empty for nowhere; False when there is no such place."""
        left = update(places).where(places.c.invitation_id == invitation_id)
        values = {"letter_to": address, "letter_locale": locale, "letter_at": None, "looked_at": at}
        found = await self._session.execute(left.values(values).returning(places.c.number))
        return found.one_or_none() is not None

    async def silent(
        self, at: datetime, looked_before: datetime, tried_before: datetime, limit: int
    ) -> list[tuple[int, str]]:
        """Number and invitation of places with an address, whose pages are closed; first come first."""
        query = select(places.c.number, places.c.invitation_id).where(
            places.c.letter_to != "",
            places.c.present_until <= at,
            places.c.looked_at <= looked_before,
            or_(places.c.letter_at.is_(None), places.c.letter_at <= tried_before),
            waits(at),
        )
        found = await self._session.execute(query.order_by(places.c.number).limit(limit))
        return [(number, invitation_id) for number, invitation_id in found]

    async def told(self, at: datetime, seconds: float, lately_seconds: float) -> Entered:
        """How many who have not come yet were written to within so many seconds, and within the last few of them."""
        lately = places.c.letter_at > at - timedelta(seconds=lately_seconds)
        query = select(func.count(), func.count().filter(lately))
        within, last = (
            await self._session.execute(query.where(places.c.letter_at > at - timedelta(seconds=seconds)))
        ).one()
        return Entered(within, last)

    async def begin_letter(self, invitation_id: str, at: datetime, kept_until: datetime) -> Letter | None:
        """A letter that this copy sends; its place is kept long enough to come."""
        query = select(places.c.letter_to, places.c.letter_locale, places.c.kept_until)
        row = (await self._session.execute(query.where(places.c.invitation_id == invitation_id))).one_or_none()
        if row is None or not row.letter_to:
            return None
        values = {"letter_at": at, "kept_until": max(row.kept_until, kept_until)}
        await self._session.execute(update(places).where(places.c.invitation_id == invitation_id).values(values))
        return Letter(invitation_id, row.letter_to, row.letter_locale)

    async def end_letter(self, letter: Letter, *, sent: bool) -> None:
        """It is on its way, or will never be: it counts, and the address is forgotten, unless it is another by now."""
        code = invitations.c.invitation_id == letter.invitation_id
        await self._session.execute(update(invitations).where(code).values(turn_letters=invitations.c.turn_letters + 1))
        place = update(places).where(
            places.c.invitation_id == letter.invitation_id, places.c.letter_to == letter.address
        )
        forgotten = {"letter_to": "", "letter_locale": ""}
        # Whom no letter reached was not called, and is told of none.
        await self._session.execute(place.values(forgotten if sent else {**forgotten, "letter_at": None}))
