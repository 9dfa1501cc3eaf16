"""Copies all of a service's data from one database to another, of either kind, and proves that it arrived."""

import argparse
import importlib
import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Integer, MetaData, Table, delete, func, insert, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ops.errors import OperatorError
from services.common.store.database import Database
from services.common.store.migrations import migrate

KEEPERS = ("auth", "invite", "room_directory")
ROOT = Path(__file__).resolve().parents[1]
_BATCH = 1000


def sqlite_url(path: Path) -> str:
    """How SQLAlchemy calls a file."""
    return f"sqlite+aiosqlite:///{path.resolve()}"


def moved_mark(state: Path, keeper: str) -> Path:
    """There once a service's file was moved to PostgreSQL: what is in the file is old from then on."""
    return state / "data" / f"{keeper}.db.moved"


def urls(state: Path, given: list[str], *, old_too: bool = False) -> dict[str, str]:
    """The database of each service: the file of `make run`, or what `--database` says.

    That is `service=url`, or `service=file` with the URL in a file, where no list of processes shows its password. A
    file that was moved to PostgreSQL is refused unless it is `old_too` that is wanted.
    """
    found = {keeper: sqlite_url(state / "data" / f"{keeper}.db") for keeper in KEEPERS}
    said = {each.partition("=")[0] for each in given}
    for keeper in KEEPERS:
        mark = moved_mark(state, keeper)
        if keeper not in said and not old_too and mark.exists():
            raise OperatorError(
                f"what {keeper} keeps was moved to PostgreSQL, the file is old: give --database {keeper}=… for it,"
                f" or $MAJLIS_DATABASES; if the file is in use again, remove {mark}"
            )
    for each in given:
        keeper, _, url = each.partition("=")
        if url and "://" not in url:
            url = _in_file(Path(url))
        if keeper not in KEEPERS or not url:
            raise OperatorError(f"--database {keeper}=…: write it as one of {', '.join(KEEPERS)}, then = and a URL")
        found[keeper] = url
    return found


def _in_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorError(f"{path} should hold the URL of a database: {error.strerror}") from error


def databases_of_environment() -> list[str]:
    """What `--database` is where it is not given: an image knows its databases."""
    return [each for each in os.environ.get("MAJLIS_DATABASES", "").split(",") if each]


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say where the databases are."""
    parser.add_argument("--state", type=Path, default=Path("var"), help="state folder of make run (var)")
    parser.add_argument(
        "--database",
        action="append",
        default=databases_of_environment(),
        metavar="SERVICE=URL",
        help="where it is not in --state; a file that holds the URL will do; also from $MAJLIS_DATABASES, by commas",
    )


def metadata_of(keeper: str) -> MetaData:
    """The tables of a service, from its code."""
    found: MetaData = importlib.import_module(f"services.{keeper}.storage.tables").metadata
    return found


def migrations_of(keeper: str) -> Path:
    """Where the service's Alembic scripts are."""
    return ROOT / "services" / keeper / "migrations"


def _is_used(connection: Connection, schema: str | None) -> bool:
    return inspect(connection).has_table("alembic_version", schema=schema)


async def copy(keeper: str, source_url: str, target_url: str) -> dict[str, int]:
    """Copies everything `keeper` keeps; returns rows by table.

    The source is read in one transaction, so it may be in use; it must be of this release, as any database is once its
    service has started. The target must be new: it is brought to this release first. Raises OperatorError.
    """
    source, target = Database(source_url, keeper), Database(target_url, keeper)
    try:
        await _check(source, target, keeper)
        await migrate(target_url, migrations_of(keeper), keeper)
        async with source.read() as reading, target.write() as writing:
            if not source.is_sqlite:
                await reading.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            tables = metadata_of(keeper).sorted_tables
            for table in reversed(tables):
                # What the migrations put there is in the source too.
                await writing.execute(delete(table))
            counts = {table.name: await _copy_table(table, reading, writing) for table in tables}
            await _verify(counts, tables, writing)
            if not target.is_sqlite:
                for table in tables:
                    await _move_sequence(table, keeper, writing)
        return counts
    finally:
        await source.close()
        await target.close()


async def _check(source: Database, target: Database, keeper: str) -> None:
    async with target.read() as session:
        schema = None if target.is_sqlite else keeper
        if await (await session.connection()).run_sync(_is_used, schema):
            raise OperatorError(
                f"the target of {keeper} is in use already; copy into a new database, or drop its schema first"
            )
    async with source.read() as session:
        schema = None if source.is_sqlite else keeper
        if not await (await session.connection()).run_sync(_is_used, schema):
            raise OperatorError(f"the source of {keeper} has no tables: is it the right database?")


async def _copy_table(table: Table, reading: AsyncSession, writing: AsyncSession) -> int:
    count = 0
    order = list(table.primary_key.columns) or list(table.columns)
    result = await reading.stream(select(table).order_by(*order))
    async for rows in result.mappings().partitions(_BATCH):
        await writing.execute(insert(table), [dict(row) for row in rows])
        count += len(rows)
    return count


async def _verify(counts: Mapping[str, int], tables: list[Table], writing: AsyncSession) -> None:
    for table in tables:
        arrived = await writing.scalar(select(func.count()).select_from(table))
        if arrived != counts[table.name]:
            raise OperatorError(
                f"{table.name}: {counts[table.name]} rows were read and {arrived} arrived; nothing was kept"
            )


async def _move_sequence(table: Table, schema: str, writing: AsyncSession) -> None:
    """PostgreSQL numbers the next row after the last one that came along."""
    for column in table.primary_key.columns:
        if not isinstance(column.type, (Integer, BigInteger)):
            continue
        name = await writing.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": f'"{schema}"."{table.name}"', "column": column.name},
        )
        last = await writing.scalar(select(func.max(column)))
        if name is not None and last is not None:
            await writing.execute(text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": name, "last": last})
