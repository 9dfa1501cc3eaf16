"""Backups, restores and the move to PostgreSQL, on real databases with a row in every table."""

import datetime as dt
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, DateTime, Integer, LargeBinary, Table, insert, select, text
from sqlalchemy.types import JSON

from services.common.database import Database
from services.common.ids import new_id
from services.common.migrations import migrate
from tools.ops import backup, doctor
from tools.ops.copying import KEEPERS, CopyError, copy, metadata_of, migrations_of


def value_for(column: Any, number: int) -> Any:
    """Something of the column's type that breaks naive copying: a zone, bytes that are no text, Arabic, nested JSON."""
    kind = column.type
    if isinstance(kind, JSON):
        return {"ك": [number, None, {"deep": True}]}
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, Integer):
        return number + 1
    if isinstance(kind, LargeBinary):
        return bytes([0, 255, number])
    if isinstance(kind, DateTime) or "DateTime" in type(kind).__name__:
        return dt.datetime(2026, 1, 2, 3, 4, 5, 678_000 + number, tzinfo=dt.UTC)
    return f"م{number}'\"\n"[: kind.length or 20]


async def fill(keeper: str, url: str) -> None:
    """Three rows in every table, whatever the tables are."""
    await migrate(url, migrations_of(keeper), keeper)
    database = Database(url, keeper)
    async with database.write() as session:
        for table in metadata_of(keeper).sorted_tables:
            await session.execute(table.delete())
            for number in range(3):
                await session.execute(insert(table), {c.name: value_for(c, number) for c in table.columns})
    await database.close()


async def rows(keeper: str, url: str) -> dict[str, list[Any]]:
    database = Database(url, keeper)
    tables: list[Table] = metadata_of(keeper).sorted_tables
    async with database.read() as session:
        found = {t.name: [tuple(r) for r in await session.execute(select(t).order_by(*t.primary_key))] for t in tables}
    await database.close()
    return found


@pytest.fixture
async def new_postgres(postgres_url: str) -> Any:
    """URLs of databases of their own on the test's server."""
    admin = Database(postgres_url)
    name = f"ops_{new_id()}"
    async with admin.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await admin.close()
    return postgres_url.replace("/postgres?", f"/{name}?")


@pytest.mark.parametrize("keeper", KEEPERS)
async def test_everything_arrives_in_postgresql_and_comes_back_the_same(
    keeper: str, tmp_path: Path, new_postgres: str
) -> None:
    first, back = backup.sqlite_url(tmp_path / "first.db"), backup.sqlite_url(tmp_path / "back.db")
    await fill(keeper, first)
    counts = await copy(keeper, first, new_postgres)
    assert set(counts.values()) == {3}
    assert await rows(keeper, new_postgres) == await rows(keeper, first)
    await copy(keeper, new_postgres, back)
    assert await rows(keeper, back) == await rows(keeper, first)


async def test_a_service_goes_on_numbering_after_the_move(tmp_path: Path, new_postgres: str) -> None:
    first = backup.sqlite_url(tmp_path / "first.db")
    await fill("auth", first)
    await copy("auth", first, new_postgres)
    database, audit = Database(new_postgres, "auth"), metadata_of("auth").tables["audit"]
    given = {c.name: value_for(c, 0) for c in audit.columns if not c.primary_key}
    async with database.write() as session:
        await session.execute(insert(audit).values(**given | {"position": 99}))
        numbers = list(await session.scalars(select(audit.c.id).order_by(audit.c.id)))
    await database.close()
    assert numbers == [1, 2, 3, 4]


async def test_a_database_in_use_is_never_written_over(tmp_path: Path) -> None:
    first, second = backup.sqlite_url(tmp_path / "first.db"), backup.sqlite_url(tmp_path / "second.db")
    await fill("invite", first)
    await fill("invite", second)
    before = await rows("invite", second)
    with pytest.raises(CopyError, match="in use"):
        await copy("invite", first, second)
    assert await rows("invite", second) == before


async def test_a_source_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="right database"):
        await copy("auth", backup.sqlite_url(tmp_path / "none.db"), backup.sqlite_url(tmp_path / "new.db"))


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "data").mkdir(parents=True)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "invitation-codes").write_text("the secret of links")
    for keeper, url in backup.urls(folder, []).items():
        await fill(keeper, url)
    return folder


async def test_a_restored_backup_has_every_row_and_secret(state: Path, tmp_path: Path) -> None:
    textfile = tmp_path / "backup.prom"
    made = await backup.backup(backup.urls(state, []), state / "secrets", tmp_path / "backups", textfile)
    new = tmp_path / "new"
    (new / "data").mkdir(parents=True)
    await backup.restore(made, backup.urls(new, []), new / "secrets")
    for keeper in KEEPERS:
        assert await rows(keeper, backup.urls(new, [])[keeper]) == await rows(keeper, backup.urls(state, [])[keeper])
    assert (new / "secrets" / "invitation-codes").read_text() == "the secret of links"
    assert textfile.read_text().startswith("majlis_backup_completed_timestamp_seconds 1")


async def test_a_damaged_backup_is_refused_before_anything_is_written(state: Path, tmp_path: Path) -> None:
    made = await backup.backup(backup.urls(state, []), state / "secrets", tmp_path / "backups")
    content = bytearray((made / "invite.db").read_bytes())
    content[len(content) // 2] ^= 1
    (made / "invite.db").write_bytes(bytes(content))
    new = tmp_path / "new"
    with pytest.raises(CopyError, match=r"invite\.db is missing or damaged"):
        await backup.restore(made, backup.urls(new, []), new / "secrets")
    assert not new.exists()


async def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(state: Path, tmp_path: Path) -> None:
    sources = backup.urls(state, []) | {"room_directory": backup.sqlite_url(tmp_path / "empty.db")}
    with pytest.raises(CopyError):
        await backup.backup(sources, state / "secrets", tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


async def test_a_backup_tells_how_much_it_holds(state: Path, tmp_path: Path) -> None:
    made = await backup.backup(backup.urls(state, []), state / "secrets", tmp_path / "backups")
    manifest = json.loads((made / backup.MANIFEST).read_text())
    assert manifest["rows"]["auth"]["accounts"] == 3
    assert {f"{keeper}.db" for keeper in KEEPERS} < set(manifest["files"])


def test_the_doctor_names_a_closed_port_and_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        closed = doctor.tcp("native gRPC", address)
        taken.listen()
        assert doctor.tcp("native gRPC", address).good is True
    assert closed.good is False
    assert "firewall" in closed.say


def test_the_doctor_tells_a_refused_media_port_from_a_silent_one() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{relay.getsockname()[1]}"
        assert doctor.media(address).good is None
    assert doctor.media(address).good is False


def test_the_doctor_knows_a_bus_and_a_database_when_it_sees_them(nats_server: Any, tmp_path: Path) -> None:
    assert doctor.bus(nats_server.url).good is True
    assert doctor.database(backup.sqlite_url(tmp_path / "a.db")).good is True
    assert doctor.database("postgresql://auth:secret@127.0.0.1:1/majlis").good is False
    assert "secret" not in doctor.database("postgresql://auth:secret@127.0.0.1:1/majlis").say


def test_the_doctor_says_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    full = type("Usage", (), {"total": 100 * 2**30, "free": 2 * 2**30})
    assert doctor.disk(tmp_path, lambda _: full).good is False  # type: ignore[arg-type, return-value]
    assert doctor.disk(tmp_path / "nowhere").good is False
