"""A person's copy has everything about them, no secret and nothing of anybody else; after a deletion little is left."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from ops.__main__ import main as majlis
from ops.copying import KEEPERS, metadata_of, urls
from ops.errors import OperatorError
from ops.export_person import ABOUT_NOBODY, PARTS, export, export_waiting, find
from services.common.store.database import Database
from services.invite.messages import encode
from services.invite.storage import SqlStore
from services.room_directory.app.ports import Act, ReportRecord
from services.room_directory.storage.ledger import SqlLedger
from services.room_directory.storage.tables import metadata as room_tables
from services.room_directory.storage.tables import rooms
from tests.integration.invite.conftest import Door, database_urls, door
from tests.integration.ops.test_ops import fill
from tests.integration.room_directory.test_retention import filled

__all__ = ["database_urls", "door"]


@pytest.mark.parametrize("keeper", KEEPERS)
def test_every_table_is_in_the_copy_or_known_to_be_about_nobody(keeper: str) -> None:
    tables = set(metadata_of(keeper).tables)
    assert {part.table for part in PARTS[keeper]} | ABOUT_NOBODY[keeper] == tables
    for part in PARTS[keeper]:
        assert {*part.by, *part.without} <= {column.name for column in metadata_of(keeper).tables[part.table].columns}


@pytest.mark.parametrize("keeper", KEEPERS)
def test_no_secret_is_in_the_copy(keeper: str) -> None:
    for part in PARTS[keeper]:
        shown = {column.name for column in metadata_of(keeper).tables[part.table].columns} - set(part.without)
        secret = {"secret", "token_hash", "code_hash", "room_key", "claim_request_hash", "payload", "hash", "value"}
        assert not shown & secret, f"{part.table}: {shown & secret}"


@pytest.fixture
async def hall(door: Door, database: Database) -> dict[str, Database]:
    await database.create_all(room_tables)
    return {"auth": door.hall.database, "invite": door.database, "room_directory": database}


async def lina_lives_here(door: Door, hall: dict[str, Database]) -> tuple[str, str]:
    """Lina came by an invitation, invites, led a room, and quarrelled with Omar; returns both ids."""
    _, code = await door.invite(note="Lina from the choir")
    lina = await door.redeem(code, "request0000000001" * 2, "lina")
    _, code = await door.invite(note="Omar")
    omar = await door.redeem(code, "request0000000002" * 2, "omar")
    await door.invite(lina, note="For my cousin")
    ledger = SqlLedger(hall["room_directory"], door.clock)
    room = filled(rooms, room_id="room000000", creator_id=lina, title="Lina's songs", state="ended", ended_at=None)
    async with hall["room_directory"].write() as session:
        await session.execute(insert(rooms).values(room))
    await ledger.block(omar, lina, Act(omar, "block", lina))
    report = ReportRecord(
        report_id="report0000",
        room_id="room000000",
        room_title="Songs",
        reporter_id=omar,
        subject_id=lina,
        kind="spam",
        text="Omar's words",
        created_at=door.clock.now(),
    )
    await ledger.add_report(report, Act(omar, "report", lina))
    return lina, omar


async def test_a_copy_has_what_all_services_keep_and_nothing_of_others(door: Door, hall: dict[str, Database]) -> None:
    lina, omar = await lina_lives_here(door, hall)
    found = await export(hall, await find(hall["auth"], "@Lina"))
    (account,) = found["auth"]["accounts"]
    assert (account["user_id"], account["handle"]) == (lina, "lina")
    assert {each["note"] for each in found["invite"]["invitations"]} == {"Lina from the choir", "For my cousin"}
    assert found["room_directory"]["rooms"][0]["title"] == "Lina's songs"
    assert found["room_directory"]["reports"][0]["kind"] == "spam"
    text = json.dumps(found)
    assert omar not in text
    assert "Omar" not in text


async def test_after_a_deletion_only_opaque_entries_are_left(door: Door, hall: dict[str, Database]) -> None:
    lina, _ = await lina_lives_here(door, hall)
    await door.hall.parts.app.accounts.delete_account(lina, "lina")
    await door.tree.account_deleted(lina)
    await SqlLedger(hall["room_directory"], door.clock).forget_person(lina, Act("auth", "account_deleted", lina))
    with pytest.raises(OperatorError, match="nobody is called"):
        await find(hall["auth"], "lina")
    found = await export(hall, lina)
    assert set(found["auth"]) == {"accounts", "redemptions", "outbox", "audit"}
    assert set(found["invite"]) <= {"quotas", "invitations", "people", "outbox", "audit"}
    assert set(found["room_directory"]) == {"audit"}
    text = json.dumps(found).lower()
    for word in ("choir", "cousin", "songs", '"lina', "omar"):
        assert word not in text, word


async def test_address_left_before_the_doors_is_found_by_itself_and_gone_with_the_place(door: Door) -> None:
    invitation_id, _ = await door.invite()
    async with SqlStore(door.database, encode).write() as tx:
        at = await tx.moment(door.clock.now())
        await tx.lock_doors()
        await tx.take_place(invitation_id, at, at, at + timedelta(hours=1))
        await tx.leave_address(invitation_id, "Lina@example.org", "en", at)
    found = await export_waiting(door.database, "lina@example.org")
    (place,) = found["invite"]["places"]
    assert (place["invitation_id"], place["letter_to"]) == (invitation_id, "Lina@example.org")
    async with SqlStore(door.database, encode).write() as tx:
        await tx.leave_place(invitation_id)
    with pytest.raises(OperatorError, match="nobody who waits"):
        await export_waiting(door.database, "lina@example.org")


async def test_the_command_writes_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for keeper, url in urls(tmp_path, []).items():
        await fill(keeper, url)
    everybody = metadata_of("auth").tables["accounts"]
    database = Database(urls(tmp_path, [])["auth"])
    async with database.write() as session:
        user_id = await session.scalar(everybody.select().limit(1))
    await database.close()
    copy = tmp_path / "copy.json"
    arguments = ["export-person", "--user-id", str(user_id), "--state", str(tmp_path), "--to", str(copy)]
    assert await asyncio.to_thread(majlis, arguments) == 0
    assert json.loads(copy.read_text())["user_id"] == user_id
    assert copy.stat().st_mode & 0o077 == 0
    assert await asyncio.to_thread(majlis, [*arguments[:2], "nobody0000", *arguments[3:]]) == 1
