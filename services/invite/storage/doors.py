"""The doors, the line before them and the count of who came in, in and out of the tables."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, and_, bindparam, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.store.database import Conflict
from services.invite.domain.doors import DoorState, Override
from services.invite.domain.invitation import State
from services.invite.domain.line import Entered, Standing
from services.invite.storage.tables import doors, entries, invitations, people, places
from services.invite.storage.upsert import insert_into

_ROW = 1
FENCE_SECONDS = 5.0
"""What was decided longer ago, by the database's own clock, is not carried out: its copy may have been frozen since."""
SWEEP_AT_ONCE = 500


class DoorRows:
    """Rows of one transaction. Moments are the database's where copies share one, since their clocks may differ."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def moment(self, now: datetime) -> datetime:
        """The time by which all copies count."""
        if self._session.get_bind().dialect.name == "sqlite":
            return now
        at: datetime = (await self._session.execute(select(func.clock_timestamp()))).scalar_one()
        return at.astimezone(UTC)

    async def lock_doors(self) -> Override | None:
        """Holds the doors until the end of the transaction; returns what an operator ordered last."""
        row = await self._doors(for_update=True)
        if row is None:
            new = insert_into(self._session, doors).values(id=_ROW, last_number=0)
            await self._session.execute(new.on_conflict_do_nothing(index_elements=["id"]))
            row = await self._doors(for_update=True)
        return _override(row)

    async def get_override(self) -> Override | None:
        """What an operator ordered last."""
        return _override(await self._doors(for_update=False))

    async def set_override(self, override: Override | None) -> None:
        """Orders, or takes the order back."""
        values: dict[str, Any] = {
            "state": "",
            "a_minute": 0,
            "reason": "",
            "operator_id": "",
            "since": None,
            "until": None,
        }
        if override is not None:
            values = {
                "state": override.state.value,
                "a_minute": override.a_minute,
                "reason": override.reason,
                "operator_id": override.operator_id,
                "since": override.since,
                "until": override.until,
            }
        await self._session.execute(update(doors).where(doors.c.id == _ROW).values(values))

    async def entered(self, at: datetime, seconds: float, lately_seconds: float) -> Entered:
        """How many came in within so many seconds before a moment, and within the last few of them."""
        lately = entries.c.at > at - timedelta(seconds=lately_seconds)
        query = select(func.count(), func.count().filter(lately)).where(entries.c.at > at - timedelta(seconds=seconds))
        within, last = (await self._session.execute(query)).one()
        return Entered(within, last)

    async def note_entry(self, redemption_id: str, at: datetime) -> None:
        """Counts a newcomer in. Raises Conflict when the decision is older than the database's clock allows."""
        if self._session.get_bind().dialect.name == "sqlite":
            await self._session.execute(insert(entries).values(redemption_id=redemption_id, at=at))
            return
        values = select(literal(redemption_id), literal(at, DateTime(timezone=True))).where(
            func.clock_timestamp() < at + timedelta(seconds=FENCE_SECONDS)
        )
        noted = insert(entries).from_select(["redemption_id", "at"], values).returning(entries.c.redemption_id)
        if (await self._session.execute(noted)).one_or_none() is None:
            raise Conflict("what was decided is too old")

    async def take_back_entry(self, redemption_id: str) -> None:
        """Nobody came of it: another may."""
        await self._session.execute(delete(entries).where(entries.c.redemption_id == redemption_id))

    async def number_of(self, invitation_id: str) -> int | None:
        """The number of a code's place."""
        query = select(places.c.number).where(places.c.invitation_id == invitation_id)
        number: int | None = await self._session.scalar(query)
        return number

    async def ahead_of(self, number: int | None, at: datetime, most: int) -> int:
        """How many present people wait before a place, or in all; `most` is where counting ends."""
        query = select(places.c.number).where(places.c.present_until > at, waits(at))
        if number is not None:
            query = query.where(places.c.number < number)
        return (await self._session.scalar(select(func.count()).select_from(query.limit(most).subquery()))) or 0

    async def count_places(self) -> int:
        """All places, of people who look and of people who do not."""
        return (await self._session.scalar(select(func.count()).select_from(places))) or 0

    async def take_place(self, invitation_id: str, at: datetime, present_until: datetime, kept_until: datetime) -> int:
        """The number of a place at the end of the line; the doors are held meanwhile."""
        next_number = update(doors).where(doors.c.id == _ROW).values(last_number=doors.c.last_number + 1)
        number: int = (await self._session.execute(next_number.returning(doors.c.last_number))).scalar_one()
        row = {"number": number, "present_until": present_until, "kept_until": kept_until, "looked_at": at}
        await self._session.execute(insert(places).values(invitation_id=invitation_id, **row))
        return number

    async def hold_place(self, invitation_id: str, request_hash: str) -> None:
        """The place is of this request from now on."""
        place = places.c.invitation_id == invitation_id
        await self._session.execute(update(places).where(place).values(holder_hash=request_hash))

    async def leave_place(self, invitation_id: str) -> None:
        """Gives up a code's place, if it has one."""
        await self._session.execute(delete(places).where(places.c.invitation_id == invitation_id))

    async def keep_places(self, at: datetime, present_until: Mapping[str, datetime], kept_until: datetime) -> None:
        """Notes who looked: until when each counts as waiting."""
        if not present_until:
            return
        connection = await self._session.connection()
        row = update(places).where(places.c.invitation_id == bindparam("whose"))
        rows = [{"whose": each, "until": until} for each, until in sorted(present_until.items())]
        kept = row.values(present_until=bindparam("until"), kept_until=kept_until, looked_at=at)
        await connection.execute(kept, rows)

    async def line(self, at: datetime) -> list[Standing]:
        """Everybody with a place whose code still works, first come first."""
        columns = (
            places.c.number,
            places.c.invitation_id,
            invitations.c.code_hash,
            places.c.present_until,
            (places.c.letter_to != "").label("letter"),
            and_(places.c.letter_to == "", places.c.letter_at.is_not(None)).label("letter_sent"),
            places.c.holder_hash,
        )
        joined = places.join(invitations, invitations.c.invitation_id == places.c.invitation_id)
        query = select(*columns).select_from(joined).where(_works(at)).order_by(places.c.number)
        return [Standing(*row) for row in await self._session.execute(query)]

    async def sweep_line(self, at: datetime, entries_before: datetime) -> int:
        """Ends places that nobody kept, or whose codes do not work any more; forgets who came in long ago."""
        works = exists().where(invitations.c.invitation_id == places.c.invitation_id, _works_or_claimed(at))
        over = select(places.c.invitation_id).where(or_(places.c.kept_until <= at, ~works)).limit(SWEEP_AT_ONCE)
        gone = delete(places).where(places.c.invitation_id.in_(over)).returning(places.c.invitation_id)
        count = len((await self._session.execute(gone)).all())
        await self._session.execute(delete(entries).where(entries.c.at < entries_before))
        return count

    async def _doors(self, *, for_update: bool) -> Any:
        query = select(doors).where(doors.c.id == _ROW)
        return (await self._session.execute(query.with_for_update() if for_update else query)).one_or_none()


def _works(at: datetime) -> Any:
    """The code can be redeemed by whoever holds it."""
    barred = exists().where(people.c.user_id == invitations.c.inviter_id, people.c.standing != "active")
    return and_(invitations.c.state == State.OPEN.value, invitations.c.expires_at > at, ~barred)


def _works_or_claimed(at: datetime) -> Any:
    return or_(invitations.c.state == State.CLAIMED.value, _works(at))


def waits(at: datetime) -> Any:
    """The place's code can be redeemed: one that is being redeemed is counted as come in already."""
    return exists().where(invitations.c.invitation_id == places.c.invitation_id, _works(at))


def _override(row: Any) -> Override | None:
    if row is None or not row.state:
        return None
    return Override(
        state=DoorState(row.state),
        a_minute=row.a_minute,
        reason=row.reason,
        operator_id=row.operator_id,
        since=row.since,
        until=row.until,
    )
