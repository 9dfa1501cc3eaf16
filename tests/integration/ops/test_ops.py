"""Backups, restores and the move to PostgreSQL, on real databases with a row in every table."""

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Boolean, DateTime, Integer, LargeBinary, Table, insert, select, text
from sqlalchemy.types import JSON
from typer.testing import CliRunner

from ops import backup, kept_backups, restore
from ops.__main__ import main as majlis
from ops.command import add_to
from ops.copying import KEEPERS, copy, metadata_of, migrations_of, sqlite_url, urls
from ops.errors import OperatorError
from ops.operations import COMMANDS
from services.common.ids import new_id
from services.common.store.database import Database
from services.common.store.migrations import migrate


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
    first, back = sqlite_url(tmp_path / "first.db"), sqlite_url(tmp_path / "back.db")
    await fill(keeper, first)
    counts = await copy(keeper, first, new_postgres)
    assert set(counts.values()) == {3}
    assert await rows(keeper, new_postgres) == await rows(keeper, first)
    await copy(keeper, new_postgres, back)
    assert await rows(keeper, back) == await rows(keeper, first)


async def test_a_service_goes_on_numbering_after_the_move(tmp_path: Path, new_postgres: str) -> None:
    first = sqlite_url(tmp_path / "first.db")
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
    first, second = sqlite_url(tmp_path / "first.db"), sqlite_url(tmp_path / "second.db")
    await fill("invite", first)
    await fill("invite", second)
    before = await rows("invite", second)
    with pytest.raises(OperatorError, match="in use"):
        await copy("invite", first, second)
    assert await rows("invite", second) == before


async def test_a_source_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="right database"):
        await copy("auth", sqlite_url(tmp_path / "none.db"), sqlite_url(tmp_path / "new.db"))


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "data").mkdir(parents=True)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "invitation-codes").write_text("the secret of links")
    for keeper, url in urls(folder, []).items():
        await fill(keeper, url)
    return folder


async def test_a_restored_backup_has_every_row_and_secret(state: Path, tmp_path: Path) -> None:
    textfile = tmp_path / "backup.prom"
    made = await backup.backup(urls(state, []), state / "secrets", tmp_path / "backups", textfile)
    new = tmp_path / "new"
    (new / "data").mkdir(parents=True)
    await restore.restore(made, urls(new, []), new / "secrets")
    for keeper in KEEPERS:
        assert await rows(keeper, urls(new, [])[keeper]) == await rows(keeper, urls(state, [])[keeper])
    assert (new / "secrets" / "invitation-codes").read_text() == "the secret of links"
    assert textfile.read_text().startswith("majlis_backup_completed_timestamp_seconds 1")


async def test_a_damaged_backup_is_refused_before_anything_is_written(state: Path, tmp_path: Path) -> None:
    made = await backup.backup(urls(state, []), state / "secrets", tmp_path / "backups")
    content = bytearray((made / "invite.db").read_bytes())
    content[len(content) // 2] ^= 1
    (made / "invite.db").write_bytes(bytes(content))
    new = tmp_path / "new"
    with pytest.raises(OperatorError, match=r"invite\.db is missing or damaged"):
        await restore.restore(made, urls(new, []), new / "secrets")
    assert not new.exists()


async def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(state: Path, tmp_path: Path) -> None:
    sources = urls(state, []) | {"room_directory": sqlite_url(tmp_path / "empty.db")}
    with pytest.raises(OperatorError):
        await backup.backup(sources, state / "secrets", tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


async def test_a_backup_tells_how_much_it_holds(state: Path, tmp_path: Path) -> None:
    made = await backup.backup(urls(state, []), state / "secrets", tmp_path / "backups")
    manifest = json.loads((made / kept_backups.MANIFEST).read_text())
    assert manifest["rows"]["auth"]["accounts"] == 3
    assert {f"{keeper}.db" for keeper in KEEPERS} < set(manifest["files"])


async def command(*arguments: str) -> int:
    """As typed at a terminal, which has no event loop."""
    return await asyncio.to_thread(majlis, list(arguments))


async def test_the_commands_carry_a_hall_from_files_to_postgresql_and_into_a_backup_and_back(
    state: Path, tmp_path: Path, new_postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "auth-url").write_text(new_postgres + "\n")
    places = ["--database", f"auth={tmp_path / 'auth-url'}"]
    places += [part for keeper in KEEPERS[1:] for part in ("--database", f"{keeper}={new_postgres}")]
    assert await command("migrate", "sqlite-to-postgres", "--state", str(state), *places) == 0
    assert await command("backup", "--state", str(state), "--to", str(tmp_path / "old")) == 1
    assert "was moved to PostgreSQL" in capsys.readouterr().err
    assert await command("backup", "--state", str(state), *places, "--to", str(tmp_path / "backups")) == 0
    (made,) = (tmp_path / "backups").iterdir()
    assert str(made) in capsys.readouterr().out
    assert made.stat().st_mode & 0o077 == 0, "others may enter the folder of a backup"
    assert await command("restore", "--from", str(made), "--state", str(tmp_path / "new")) == 0
    for keeper in KEEPERS:
        old = urls(state, [], old_too=True)[keeper]
        assert await rows(keeper, urls(tmp_path / "new", [])[keeper]) == await rows(keeper, old)
    assert await command("restore", "--from", str(made), "--state", str(tmp_path / "new")) == 1
    assert "in use already" in capsys.readouterr().err


async def test_a_missing_address_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("backup", "--to", str(tmp_path), "--database", "auth=nowhere") == 1
    assert "nowhere should hold the URL of a database" in capsys.readouterr().err


def test_the_majlis_command_of_a_server_has_the_client_s_commands_and_the_operator_s() -> None:
    from majlis_client.cli import app

    alone = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    whole = typer.Typer()
    whole.registered_commands = list(app.registered_commands)
    add_to(whole)
    shown = CliRunner().invoke(whole, ["--help"]).output
    assert {"listen", "speak"} <= alone
    assert not alone & set(COMMANDS)
    for name in COMMANDS:
        assert f" {name} " in shown
    refused = CliRunner().invoke(whole, ["backup", "--to", "somewhere", "--database", "auth=nowhere"])
    assert refused.exit_code == 1
