"""The tree of who invited whom in and out of the tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, and_, exists, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.invite.domain.people import Place
from services.invite.storage.tables import people
from services.invite.storage.upsert import insert_into

ACTIVE = "active"


class PeopleRows:
    """Rows of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_person(self, user_id: str, inviter_id: str, joined_at: datetime) -> None:
        """A place in the tree; a known inviter is never replaced by none."""
        insert = insert_into(self._session, people).values(
            user_id=user_id, inviter_id=inviter_id, joined_at=joined_at, standing=ACTIVE
        )
        if inviter_id:
            known = {"inviter_id": inviter_id}
            insert = insert.on_conflict_do_update(index_elements=["user_id"], set_=known)
        else:
            insert = insert.on_conflict_do_nothing(index_elements=["user_id"])
        await self._session.execute(insert)

    async def set_standing(self, user_id: str, standing: str) -> None:
        """active, suspended or deleted; the deleted stay so."""
        statement = update(people).where(people.c.user_id == user_id, people.c.standing != "deleted")
        await self._session.execute(statement.values(standing=standing))

    async def in_good_standing(self, user_id: str) -> bool:
        """Whether a person's invitations work."""
        standing = await self._session.scalar(select(people.c.standing).where(people.c.user_id == user_id))
        return standing in (None, ACTIVE)

    async def get_place(self, user_id: str) -> Place | None:
        """A person's place, depth 0."""
        row = (await self._session.execute(select(people).where(people.c.user_id == user_id))).one_or_none()
        return None if row is None else Place(row.user_id, row.inviter_id, row.joined_at, 0)

    async def walk(self, root_id: str, after: tuple[int, datetime, str] | None, limit: int, depth: int) -> list[Place]:
        """The people below `root_id`, or all when it is empty, breadth first, down to `depth` levels."""
        columns = (people.c.user_id, people.c.inviter_id, people.c.joined_at)
        known = people.alias("known")
        # Without a root the walk begins with all whose inviter has no place here: the owner, mostly.
        begin = people.c.inviter_id == root_id if root_id else ~exists().where(known.c.user_id == people.c.inviter_id)
        below = select(*columns, literal(1, Integer).label("depth")).where(begin).cte("below", recursive=True)
        below = below.union_all(
            select(*columns, below.c.depth + 1)
            .join(below, people.c.inviter_id == below.c.user_id)
            .where(below.c.depth < depth)
        )
        query = select(below)
        if after is not None:
            query = query.where(_later(below.c, *after))
        query = query.order_by(below.c.depth, below.c.joined_at, below.c.user_id).limit(limit)
        return [Place(*row) for row in await self._session.execute(query)]


def _later(place: Any, depth: int, joined_at: datetime, user_id: str) -> Any:
    """Behind a place in breadth-first order."""
    return or_(
        place.depth > depth,
        and_(place.depth == depth, place.joined_at > joined_at),
        and_(place.depth == depth, place.joined_at == joined_at, place.user_id > user_id),
    )
