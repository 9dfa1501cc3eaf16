"""Deletes what is kept no longer, in the background and in small transactions, so that nobody waits for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete, select

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.store.database import Database
from services.common.tasks import Background

ROUND_SECONDS = 600.0
BATCH = 500
MOST_BATCHES = 20
"""Of one kind in one round: what is left comes in the next."""

_log = get_logger("retention")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long one kind of row is kept."""

    what: str
    """Its name in logs and metrics."""
    days: int
    """0 keeps it for ever."""
    delete_before: Callable[[datetime], Awaitable[int]]
    """Deletes what is older than a moment, boundedly many; returns how many rows went."""


class Retention:
    """Runs the deletions of a service."""

    def __init__(self, keepings: list[Keeping], clock: Clock, metrics: Metrics) -> None:
        self._keepings = [keeping for keeping in keepings if keeping.days > 0]
        self._clock = clock
        self._deleted = metrics.counter(
            "majlis_retention_deleted_rows_total", "Rows deleted because their time was over.", ["what"]
        )
        for keeping in self._keepings:
            self._deleted.labels(keeping.what)

    def start(self, background: Background) -> None:
        """Runs a round of each kind every ten minutes; one that fails does not keep the others back."""
        for keeping in self._keepings:
            background.every(f"retention of {keeping.what}", ROUND_SECONDS, _bound(self._run, keeping))

    async def run_once(self) -> None:
        """One round of each kind. Raises what a deletion raises."""
        for keeping in self._keepings:
            await self._run(keeping)

    async def _run(self, keeping: Keeping) -> None:
        count = await keeping.delete_before(self._clock.now() - timedelta(days=keeping.days))
        if count:
            self._deleted.labels(keeping.what).inc(count)
            _log.info("old rows deleted", what=keeping.what, count=count, days=keeping.days)


async def delete_rows(
    database: Database, key: Column[Any], old: ColumnElement[bool], parts: tuple[Column[Any], ...] = ()
) -> int:
    """Deletes the rows of `key`'s table that are `old`, lowest key first, in batches of 500 and at most 20 of them.

    Rows of other tables whose column among `parts` has the same key go with them, in the same transaction.
    """
    total = 0
    for _ in range(MOST_BATCHES):
        async with database.write() as session:
            keys = list(await session.scalars(select(key).where(old).order_by(key).limit(BATCH)))
            if keys:
                for column in (*parts, key):
                    await session.execute(delete(_table(column)).where(column.in_(keys)))
        total += len(keys)
        if len(keys) < BATCH:
            break
    return total


def _table(column: Column[Any]) -> Table:
    assert isinstance(column.table, Table)
    return column.table


def _bound(run: Callable[[Keeping], Awaitable[None]], keeping: Keeping) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        await run(keeping)

    return once
