"""The release before goes on working while this one migrates its database under it, on SQLite and on PostgreSQL."""

import asyncio
import contextlib
import datetime as dt
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from ops.copying import KEEPERS, metadata_of, migrations_of
from services.common.errors import StorageUnavailable
from services.common.store.database import Database, retry_conflicts
from services.common.store.migrations import migrate
from tools.lint_migrations import MARK

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def newest_expansion(keeper: str) -> tuple[str, str]:
    """The newest revision that only adds, and the one before it."""
    config = Config()
    config.set_main_option("script_location", str(migrations_of(keeper)))
    config.set_main_option("path_separator", "os")
    for script in ScriptDirectory.from_config(config).walk_revisions():
        if script.down_revision is not None and not hasattr(script.module, MARK):
            return str(script.revision), str(script.down_revision)
    raise AssertionError(f"{keeper} has no such migration")


class OldCode:
    """The release before: it knows the tables as they were and names every column in every statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._metadata = MetaData()
        self.written = 0

    async def learn(self) -> None:
        async with self._database.engine.connect() as connection:
            await connection.run_sync(self._metadata.reflect)
        self._metadata.remove(self._metadata.tables["alembic_version"])

    @property
    def tables(self) -> list[Table]:
        return self._metadata.sorted_tables

    def row(self, table: Table, number: int) -> dict[str, Any]:
        return {column.name: self._value(column, number) for column in table.columns}

    def _value(self, column: Any, number: int) -> Any:
        kind = column.type
        if isinstance(kind, Boolean) or str(kind) == "BOOLEAN":
            return False
        if isinstance(kind, JSON):
            return {"old": number}
        if isinstance(kind, Integer):
            return number + 1
        if isinstance(kind, LargeBinary):
            return number.to_bytes(4, "big")
        if isinstance(kind, DateTime):
            return NOW if getattr(kind, "timezone", False) or not self._database.is_sqlite else NOW.replace(tzinfo=None)
        return f"{number:08}"

    @retry_conflicts(times=8)
    async def write(self) -> None:
        """One of everything: insert, read, change, and delete what was written two rounds ago."""
        number = self.written
        async with self._database.write() as session:
            for table in self.tables:
                await session.execute(insert(table).values(self.row(table, number)))
                key = next(iter(table.primary_key.columns))
                mine = key == self._value(key, number)
                assert (await session.execute(select(table).where(mine))).mappings().one()
                same = {name: value for name, value in self.row(table, number).items() if name != key.name}
                changed = await session.execute(update(table).where(mine).values(same))
                assert changed.rowcount == 1  # type: ignore[attr-defined]
            if number >= 2:
                for table in reversed(self.tables):
                    key = next(iter(table.primary_key.columns))
                    await session.execute(delete(table).where(key == self._value(key, number - 2)))
        self.written += 1

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            # Where a slow disk makes the migration hold the file for long, callers are told to come again.
            with contextlib.suppress(StorageUnavailable):
                await self.write()
            await asyncio.sleep(0)


@pytest.mark.parametrize("keeper", KEEPERS)
async def test_the_release_before_works_on_while_the_newest_migration_runs(keeper: str, database: Database) -> None:
    newest, before = newest_expansion(keeper)
    await migrate(database.url, migrations_of(keeper), database.schema, before)
    old, stop = OldCode(Database(database.url, database.schema)), asyncio.Event()
    await old.learn()
    await old.write()
    async with asyncio.TaskGroup() as group:
        working = group.create_task(old.work(stop))
        await asyncio.sleep(0.05)
        await migrate(database.url, migrations_of(keeper), database.schema, newest)
        seen = old.written
        while old.written < seen + 3:
            assert not working.done()
            await asyncio.sleep(0.01)
        stop.set()
    await old._database.close()
    await migrate(database.url, migrations_of(keeper), database.schema)
    await check_new_code_reads_it(keeper, database, {table.name for table in old.tables})


async def check_new_code_reads_it(keeper: str, database: Database, known_before: set[str]) -> None:
    """What the release before wrote, the last two of all it knew, is there for this one, every column of it."""
    async with database.read() as session:
        for table in metadata_of(keeper).sorted_tables:
            count = await session.scalar(select(func.count()).select_from(table))
            rows = (await session.execute(select(*(column for column in table.columns)))).all()
            assert len(rows) == count
            assert count in ({2, 3} if table.name in known_before else {0, 1}), table.name
