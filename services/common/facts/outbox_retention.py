"""Deletes facts that say nothing any more: an outbox stays small and still tells newcomers the whole picture."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from sqlalchemy import and_, exists, or_, select, update

from services.common.facts.outbox import Outbox, entity_of
from services.common.store.database import Database
from services.common.store.retention import BATCH, delete_rows

EventType = type[Message]


class FactRetention:
    """Which facts of an outbox may go once they are old.

    `passing` are those without a lasting effect: whoever hears of them late has nothing to do. Of the others each
    stays until one of those that `outdated_by` names for it was told of the same entity: what is left is the last word
    about each, and a reader that begins at 0, or comes back after a long time, comes to the same picture as ever.
    """

    def __init__(
        self, outbox: Outbox, passing: Iterable[EventType], outdated_by: Mapping[EventType, Iterable[EventType]]
    ) -> None:
        self._outbox = outbox
        self._passing = [_name(each) for each in passing]
        self._outdated_by = {_name(old): [_name(new) for new in newer] for old, newer in outdated_by.items()}

    async def delete_before(self, database: Database, before: datetime) -> int:
        """Deletes published facts older than a moment that say nothing any more, boundedly many; returns how many."""
        await self._name_entities(database)
        table = self._outbox.table
        newer = table.alias("newer")
        said_again = [
            and_(
                table.c.type == old,
                exists().where(
                    newer.c.entity == table.c.entity, newer.c.number > table.c.number, newer.c.type.in_(names)
                ),
            )
            for old, names in self._outdated_by.items()
        ]
        silent = or_(table.c.type.in_(self._passing), *said_again)
        return await delete_rows(
            database, table.c.number, and_(table.c.at < before, table.c.published.is_(True), silent)
        )

    async def _name_entities(self, database: Database) -> None:
        """Facts stored by an earlier release do not name their entity: it is read from what they say."""
        table = self._outbox.table
        async with database.write() as session:
            rows = await session.execute(
                select(table.c.number, table.c.type, table.c.payload)
                .where(table.c.entity.is_(None))
                .order_by(table.c.number)
                .limit(BATCH)
            )
            for row in rows.all():
                kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(row.type))
                entity = entity_of(kind.FromString(row.payload))
                await session.execute(update(table).where(table.c.number == row.number).values(entity=entity))


def _name(event_type: EventType) -> str:
    return str(event_type.DESCRIPTOR.full_name)
