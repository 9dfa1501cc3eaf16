"""Brings a database to the newest revision of its service when the service starts."""

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, make_url, text

from services.common.errors import Conflict, StorageUnavailable
from services.common.sight.log import get_logger
from services.common.store.database import Database, retry_conflicts
from services.common.store.holding import hold
from services.common.trust.private import keep_from_others

# Any number that no other program takes in the same database; copies of a service wait for each other on it.
_ADVISORY_LOCK = 0x6D616A6C

_log = get_logger("database")


# Switching a new SQLite file to its journal mode does not wait for another process that does the same.
@retry_conflicts(times=8)
async def migrate(url: str, script_location: Path | str, schema: str = "", revision: str = "head") -> None:
    """Runs the Alembic scripts in `script_location` up to `revision`, the newest by default, in one transaction.

    Copies of a service may start together: one migrates, the others wait for it.
    """
    database = Database(url, schema)
    file = database.engine.url.database if database.is_sqlite else None
    # Those of earlier releases could be read by every user of the machine.
    for name in (file, f"{file}-wal", f"{file}-shm") if file else ():
        for path, error in keep_from_others(Path(name)):
            _log.warning("others may read the database", path=str(path), why=error.strerror)
    try:
        async with database.write(seconds=None) as session:
            connection = await session.connection()
            await connection.run_sync(_upgrade, str(script_location), schema, revision)
    except StorageUnavailable as error:
        if "locked" in str(error.__cause__):
            # A copy of the release before writes without a pause: its lock comes free in between.
            raise Conflict("another process holds the database") from error
        raise
    finally:
        await database.close()


async def migrate_own(url: str, script_location: Path | str, schema: str = "") -> None:
    """As `migrate`, for a service that starts: a SQLite file is its alone from now on.

    Raises Conflict while another process has it.
    """
    file = make_url(url).database if url.startswith("sqlite") else None
    if file and file != ":memory:":
        hold(Path(file))
    await migrate(url, script_location, schema)


def run_env(metadata: MetaData) -> None:
    """What the `env.py` beside the scripts calls: migrates on the connection that `migrate` opened."""
    connection: Connection = context.config.attributes["connection"]
    schema: str = context.config.attributes["schema"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema or None,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    # The transaction is the caller's: it also holds the lock.
    context.run_migrations()


def _upgrade(connection: Connection, script_location: str, schema: str, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if schema:
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    else:
        schema = ""
    config = Config()
    config.set_main_option("script_location", script_location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    before = MigrationContext.configure(connection, opts={"version_table_schema": schema or None}).get_current_heads()
    command.upgrade(config, revision)
    now = MigrationContext.configure(connection, opts={"version_table_schema": schema or None}).get_current_heads()
    if set(before) != set(now):
        _log.info("database migrated", before=list(before), now=list(now))
