"""Where a consumer with a database keeps the number of the last fact it has handled."""

from sqlalchemy import BigInteger, Column, MetaData, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from services.common.store.database import Database


class FactCursors:
    """The cursor table of a consumer; make one beside its other tables, then `of(database)` is a FactCursor."""

    def __init__(self, metadata: MetaData, name: str = "fact_cursor") -> None:
        self.table = Table(
            name,
            metadata,
            Column("source", String(64), primary_key=True),
            Column("number", BigInteger, nullable=False),
        )

    def of(self, database: Database) -> "SqlCursor":
        return SqlCursor(self.table, database)


class SqlCursor:
    """A cursor in a table of the consumer's own database."""

    def __init__(self, table: Table, database: Database) -> None:
        self._table = table
        self._database = database

    async def load(self, source: str) -> int:
        """The last number, 0 at first."""
        query = select(self._table.c.number).where(self._table.c.source == source)
        async with self._database.read() as session:
            return int(await session.scalar(query) or 0)

    async def save(self, source: str, number: int) -> None:
        insert = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(self._table)
        upsert = insert.values(source=source, number=number).on_conflict_do_update(
            index_elements=["source"], set_={"number": number}
        )
        async with self._database.write() as session:
            await session.execute(upsert)
