"""Orders of operators about the ladders of relays, in SQLite or PostgreSQL."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.clock import Clock
from services.common.store.database import Database
from services.room_directory.app.ports import Act
from services.room_directory.domain.ladder import LadderOrder, LadderOrders
from services.room_directory.storage.tables import audit, ladder_changes, ladder_orders

_ROW = 1
_LEAST_STEP = timedelta(milliseconds=1)
"""Between two changes, however the clocks of copies differ: relays go by the newest."""


class SqlLadder:
    """One row for each relay, and one that says when orders changed last."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def orders(self) -> LadderOrders:
        """All that are kept."""
        async with self._database.read() as session:
            return await self._read(session)

    async def change(self, act: Act, relay_id: str, order: Callable[[datetime], LadderOrder | None]) -> LadderOrders:
        """Puts an order in the place of the one for a relay, or takes that away; `order` is told when."""
        async with self._database.write() as session:
            query = select(ladder_changes.c.changed_at).with_for_update()
            last = (await session.execute(query)).scalar_one_or_none()
            now = self._clock.now()
            new = order(now)
            changed_at = now if last is None else max(now, last + _LEAST_STEP)
            await session.execute(delete(ladder_changes))
            await session.execute(insert(ladder_changes).values(id=_ROW, changed_at=changed_at))
            over = (ladder_orders.c.relay_id == relay_id) | (ladder_orders.c.until <= now)
            await session.execute(delete(ladder_orders).where(over))
            if new is not None:
                await session.execute(insert(ladder_orders).values(asdict(new)))
            await audit.append(
                session, now=now, actor=act.actor_id, action=act.action, target=act.target, detail=act.detail
            )
            return await self._read(session)

    async def _read(self, session: AsyncSession) -> LadderOrders:
        changed_at = (await session.execute(select(ladder_changes.c.changed_at))).scalar_one_or_none()
        rows = (await session.execute(select(ladder_orders).order_by(ladder_orders.c.relay_id))).mappings()
        return LadderOrders(changed_at, tuple(LadderOrder(**row) for row in rows))
