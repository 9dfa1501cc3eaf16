"""The database wrapper on SQLite and on PostgreSQL: transactions, conflicts, moments, migrations."""

import asyncio
import sqlite3
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from structlog.testing import capture_logs

from services.common.errors import StorageUnavailable
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from services.common.store.database import ANSWER_SECONDS, Conflict, Database, UtcDateTime, retry_conflicts
from services.common.store.migrations import migrate
from tests.support.postgres import PostgresServer
from tests.support.storage import read_only

METADATA = MetaData()
PIZZA = Table(
    "pizza",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), unique=True),
    Column("slices", Integer, nullable=False),
    Column("baked_at", UtcDateTime),
)


@pytest.fixture
async def pizzas(database: Database) -> Database:
    await database.create_all(METADATA)
    async with database.write() as session:
        await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
    return database


async def slices(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(PIZZA.c.slices).where(PIZZA.c.id == 1)) or 0)


async def test_a_write_is_kept_when_the_block_ends_well(pizzas: Database) -> None:
    async with pizzas.write() as session:
        await session.execute(update(PIZZA).values(slices=7))
    assert await slices(pizzas) == 7


async def test_a_write_leaves_no_trace_when_the_block_raises(pizzas: Database) -> None:
    async def drop() -> None:
        async with pizzas.write() as session:
            await session.execute(update(PIZZA).values(slices=0))
            raise RuntimeError("dropped")

    with pytest.raises(RuntimeError, match="dropped"):
        await drop()
    assert await slices(pizzas) == 8


async def test_load_decide_save_by_many_at_once_loses_no_update(pizzas: Database) -> None:
    @retry_conflicts(times=5)
    async def eat() -> bool:
        async with pizzas.write() as session:
            query = select(PIZZA.c.slices).where(PIZZA.c.id == 1)
            left = int(await session.scalar(query) or 0)
            saved = await session.execute(
                update(PIZZA).where(PIZZA.c.id == 1, PIZZA.c.slices == left, PIZZA.c.slices > 0).values(slices=left - 1)
            )
            if left and not saved.rowcount:  # type: ignore[attr-defined]
                raise Conflict
            return left > 0

    eaten = 0
    for _ in range(5):
        results = await asyncio.gather(*(eat() for _ in range(4)), return_exceptions=True)
        eaten += sum(result is True for result in results)
        assert all(isinstance(result, bool | Conflict) for result in results)
    assert eaten == 8
    assert await slices(pizzas) == 0


async def test_two_programs_on_one_sqlite_file_do_not_fail_each_other(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/shared.db"
    first, second = Database(url), Database(url)
    await first.create_all(METADATA)
    async with first.write() as session:
        await session.execute(PIZZA.insert().values(id=1, name="plain", slices=0))

    async def add(database: Database) -> None:
        for _ in range(25):
            async with database.write() as session:
                count = int(await session.scalar(select(PIZZA.c.slices)) or 0)
                await session.execute(update(PIZZA).values(slices=count + 1))

    await asyncio.gather(add(first), add(second))
    assert await slices(first) == 50
    await first.close()
    await second.close()


async def test_a_reader_is_not_held_up_by_a_writer(pizzas: Database) -> None:
    async with pizzas.write() as session:
        await session.execute(update(PIZZA).values(slices=1))
        assert await asyncio.wait_for(slices(pizzas), 2) == 8
    assert await slices(pizzas) == 1


async def test_a_deadlock_is_a_conflict_and_the_loser_may_try_again(pizzas: Database) -> None:
    if pizzas.is_sqlite:
        pytest.skip("SQLite has one writer and no deadlocks")
    async with pizzas.write() as session:
        await session.execute(PIZZA.insert().values(id=2, name="basil", slices=8))

    async def touch(first: int, second: int, met: asyncio.Barrier) -> None:
        async with pizzas.write() as session:
            await session.execute(update(PIZZA).where(PIZZA.c.id == first).values(slices=1))
            await met.wait()
            await session.execute(update(PIZZA).where(PIZZA.c.id == second).values(slices=1))

    met = asyncio.Barrier(2)
    results = await asyncio.gather(touch(1, 2, met), touch(2, 1, met), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]


async def test_a_broken_constraint_is_no_conflict(pizzas: Database) -> None:
    with pytest.raises(IntegrityError):
        async with pizzas.write() as session:
            await session.execute(PIZZA.insert().values(id=2, name="plain", slices=8))


async def test_conflicts_are_retried_a_fixed_number_of_times() -> None:
    tries = 0

    @retry_conflicts(times=3)
    async def always_late() -> None:
        nonlocal tries
        tries += 1
        raise Conflict

    with pytest.raises(Conflict):
        await always_late()
    assert tries == 3


async def test_moments_come_back_aware_and_equal(pizzas: Database) -> None:
    at = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=3)))
    async with pizzas.write() as session:
        await session.execute(update(PIZZA).values(baked_at=at))
    async with pizzas.read() as session:
        stored = await session.scalar(select(PIZZA.c.baked_at))
    assert stored == at
    assert stored is not None
    assert stored.tzinfo is UTC


async def test_a_moment_without_a_zone_is_refused(pizzas: Database) -> None:
    with pytest.raises(Exception, match="time zone"):
        async with pizzas.write() as session:
            await session.execute(update(PIZZA).values(baked_at=datetime(2030, 1, 1)))  # noqa: DTZ001


def test_an_unsupported_database_is_a_settings_error() -> None:
    for url in ("mysql://host/db", "nonsense of a secret"):
        with pytest.raises(SettingsError, match="postgresql://") as refused:
            Database(url)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_an_address_of_postgresql_is_taken_as_operators_write_it(scheme: str) -> None:
    assert Database(f"{scheme}://anna:secret@host/hall").engine.dialect.driver == "asyncpg"


ENV = """
from sqlalchemy import MetaData
from services.common.store.migrations import run_env
run_env(MetaData())
"""
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0001", None, None, None
def upgrade():
    op.create_table("oven", sa.Column("id", sa.Integer, primary_key=True), sa.Column("heat", sa.Integer))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None
def upgrade():
    op.add_column("oven", sa.Column("fan", sa.Boolean))
    op.execute("INSERT INTO oven (id, heat) VALUES (1, 220)")
"""
BROKEN = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None
def upgrade():
    op.execute("UPDATE oven SET heat = 0")
    op.execute("THIS IS NOT SQL")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    directory = tmp_path / "migrations"
    (directory / "versions").mkdir(parents=True)
    (directory / "env.py").write_text(ENV)
    (directory / "versions" / "0001.py").write_text(FIRST)
    return directory


async def test_migrations_run_once_and_go_on_from_where_they_were(database: Database, scripts: Path) -> None:
    await migrate(database.url, scripts, database.schema)
    await migrate(database.url, scripts, database.schema)
    (scripts / "versions" / "0002.py").write_text(SECOND)
    await migrate(database.url, scripts, database.schema)
    async with database.read() as session:
        assert (await session.execute(text("SELECT heat, fan FROM oven"))).all() == [(220, None)]


async def test_copies_that_start_together_migrate_once(database: Database, scripts: Path) -> None:
    (scripts / "versions" / "0002.py").write_text(SECOND)
    await asyncio.gather(*(migrate(database.url, scripts, database.schema) for _ in range(3)))
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM oven")) == 1


async def test_a_failed_migration_changes_nothing(database: Database, scripts: Path) -> None:
    (scripts / "versions" / "0002.py").write_text(SECOND)
    await migrate(database.url, scripts, database.schema)
    (scripts / "versions" / "0003.py").write_text(BROKEN)
    with pytest.raises(Exception, match="THIS IS NOT SQL"):
        await migrate(database.url, scripts, database.schema)
    async with database.read() as session:
        assert await session.scalar(text("SELECT heat FROM oven")) == 220


async def test_tables_of_a_service_live_in_its_own_schema(database: Database, scripts: Path) -> None:
    if database.is_sqlite:
        pytest.skip("on SQLite each service has a file of its own")
    await migrate(database.url, scripts, database.schema)
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names(schema=database.schema))
        public = await connection.run_sync(lambda sync: inspect(sync).get_table_names(schema="public"))
    assert set(names) == {"oven", "alembic_version"}
    assert public == []


async def test_a_snapshot_read_sees_one_state(pizzas: Database) -> None:
    async with pizzas.read() as session:
        count = await session.scalar(select(func.count()).select_from(PIZZA))
    assert count == 1


async def test_what_waits_for_the_database_is_shown(pizzas: Database) -> None:
    metrics = Metrics("oven")
    pizzas.show(metrics)

    def value(name: str) -> float:
        return metrics.registry.get_sample_value(f"majlis_database_{name}") or 0.0

    async with pizzas.write():
        assert value("connections") == 1
        assert value("wait_seconds_count") == 1
    assert value("connections") == 0
    assert value("connections_limit") == 20


async def test_a_database_that_takes_no_writes_is_refused_as_such_and_recovers_by_itself(tmp_path: Path) -> None:
    pizzas = Database(f"sqlite+aiosqlite:///{tmp_path}/pizza.db")
    await pizzas.create_all(METADATA)
    async with read_only(pizzas):
        with pytest.raises(StorageUnavailable):
            async with pizzas.write() as session:
                await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
        async with pizzas.read() as session:
            assert await session.scalar(select(func.count()).select_from(PIZZA)) == 0
    async with pizzas.write() as session:
        await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
    assert await slices(pizzas) == 8
    await pizzas.close()


async def test_it_is_said_to_take_writes_again_only_once_something_was_written(tmp_path: Path) -> None:
    pizzas = Database(f"sqlite+aiosqlite:///{tmp_path}/pizza.db")
    await pizzas.create_all(METADATA)

    def again(lines: list[Any]) -> int:
        return sum("takes writes again" in line["event"] for line in lines)

    with capture_logs() as lines:
        async with read_only(pizzas):
            with pytest.raises(StorageUnavailable):
                async with pizzas.write() as session:
                    await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
        # A full disk lets such a one pass as well.
        async with pizzas.write() as session:
            await session.scalar(select(func.count()).select_from(PIZZA))
        assert again(lines) == 0
        async with pizzas.write() as session:
            await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
        assert again(lines) == 1
    await pizzas.close()


async def test_a_database_that_nobody_answers_for_is_refused_as_such() -> None:
    away = Database("postgresql+asyncpg://nobody@127.0.0.1:1/pizza")
    for use in (away.read, away.write):
        with pytest.raises(StorageUnavailable):
            async with use() as session:
                await session.scalar(select(1))
    await away.close()


async def test_a_fault_of_the_code_is_not_taken_for_one_of_the_disk(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.write() as session:
            await session.execute(text("SELECT * FROM no_such_table"))


async def gives_up(database: Database) -> float:
    """How long a write takes that nobody answers."""
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        async with database.write() as session:
            await session.execute(update(PIZZA).values(slices=0))
    return time.monotonic() - began


async def test_while_another_program_holds_it_everybody_who_waits_is_told_before_their_time_is_up(
    tmp_path: Path,
) -> None:
    pizzas = Database(f"sqlite+aiosqlite:///{tmp_path}/pizza.db")
    await pizzas.create_all(METADATA)
    async with pizzas.write() as session:
        await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
    other = sqlite3.connect(tmp_path / "pizza.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    # Twenty would have waited one after the other.
    assert max(await asyncio.gather(*(gives_up(pizzas) for _ in range(20)))) < ANSWER_SECONDS + 1.0
    assert await slices(pizzas) == 8
    # It is known by now: nobody waits long for nothing, and readers do not make it forgotten.
    assert max(await asyncio.gather(*(gives_up(pizzas) for _ in range(20)))) < ANSWER_SECONDS / 2
    other.execute("COMMIT")
    other.close()
    async with pizzas.write() as session:
        await session.execute(update(PIZZA).values(slices=7))
    assert await slices(pizzas) == 7
    await pizzas.close()


async def test_a_server_that_stands_still_in_the_middle_of_a_change_is_given_up_in_time(
    postgres_server: PostgresServer,
) -> None:
    pizzas = Database(postgres_server.url, "kitchen")
    await pizzas.create_all(METADATA)
    async with pizzas.write() as session:
        await session.execute(PIZZA.insert().values(id=1, name="plain", slices=8))
    began = time.monotonic()

    async def eat() -> None:
        async with pizzas.write() as session:
            await session.execute(update(PIZZA).values(slices=1))
            postgres_server.freeze()
            await session.execute(update(PIZZA).values(slices=2))

    with pytest.raises(StorageUnavailable):
        await eat()
    assert time.monotonic() - began < ANSWER_SECONDS + 1.0
    assert max(await asyncio.gather(*(gives_up(pizzas) for _ in range(30)))) < ANSWER_SECONDS / 2
    postgres_server.thaw()
    assert await slices(pizzas) == 8
    postgres_server.stop()
    assert await gives_up(pizzas) < ANSWER_SECONDS / 2
    postgres_server.start()
    async with pizzas.write() as session:
        await session.execute(update(PIZZA).values(slices=7))
    assert await slices(pizzas) == 7
    await pizzas.close()
