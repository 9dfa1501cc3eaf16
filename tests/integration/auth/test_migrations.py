"""The migrations of every service with tables lead to the tables the code works with, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from services.auth.__main__ import MIGRATIONS as AUTH_MIGRATIONS
from services.auth.storage.tables import metadata as auth_tables
from services.common.store.database import Database
from services.common.store.migrations import migrate
from services.invite.__main__ import MIGRATIONS as INVITE_MIGRATIONS
from services.invite.storage.tables import metadata as invite_tables
from services.room_directory.__main__ import MIGRATIONS as ROOM_DIRECTORY_MIGRATIONS
from services.room_directory.storage.tables import metadata as room_directory_tables


@pytest.mark.parametrize(
    ("scripts", "tables"),
    [
        (AUTH_MIGRATIONS, auth_tables),
        (INVITE_MIGRATIONS, invite_tables),
        (ROOM_DIRECTORY_MIGRATIONS, room_directory_tables),
    ],
    ids=["auth", "invite", "room_directory"],
)
async def test_migrated_database_has_the_tables_of_the_code(
    database: Database, scripts: Path, tables: MetaData
) -> None:
    await migrate(database.url, scripts, database.schema)
    await migrate(database.url, scripts, database.schema)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return [
            change
            for change in compare_metadata(context, tables)
            if not (change[0] == "remove_table" and change[1].name == "alembic_version")
        ]

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
