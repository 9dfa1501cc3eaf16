"""The audit trail is kept with the act, and any later change to it shows."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData, delete, update

from services.common.store.audit import AuditLog
from services.common.store.database import Database

NOW = datetime(2030, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
METADATA = MetaData()
AUDIT = AuditLog(METADATA)


async def act(database: Database, *targets: str) -> None:
    async with database.write() as session:
        for target in targets:
            detail = {"why": "قلة أدب", "times": 3, "nested": {"b": [1, None], "a": 0.5}}
            await AUDIT.append(session, now=NOW, actor="user1", action="remove", target=target, detail=detail)


@pytest.fixture
async def sealed(database: Database) -> Database:
    await database.create_all(METADATA)
    await act(database, "a", "b", "c")
    assert await AUDIT.seal(database) == 3
    return database


async def test_a_sealed_trail_verifies_and_goes_on(sealed: Database) -> None:
    assert await AUDIT.seal(sealed) == 0
    await act(sealed, "d")
    verdict = await AUDIT.verify(sealed)
    assert (verdict.intact, verdict.sealed, verdict.unsealed) == (True, 3, 1)
    assert await AUDIT.seal(sealed) == 1
    verdict = await AUDIT.verify(sealed)
    assert (verdict.intact, verdict.sealed, verdict.unsealed) == (True, 4, 0)


async def test_an_empty_trail_is_intact(database: Database) -> None:
    await database.create_all(METADATA)
    assert (await AUDIT.verify(database)).intact
    assert await AUDIT.seal(database) == 0
    assert (await AUDIT.verify(database)).intact


@pytest.mark.parametrize(
    "change", [{"actor": "user2"}, {"target": "z"}, {"detail": {}}, {"at": datetime(2029, 1, 1, tzinfo=UTC)}]
)
async def test_a_changed_row_shows(sealed: Database, change: dict[str, object]) -> None:
    async with sealed.write() as session:
        await session.execute(update(AUDIT.table).where(AUDIT.table.c.target == "b").values(**change))
    assert (await AUDIT.verify(sealed)).broken_at == 2


@pytest.mark.parametrize(("target", "position"), [("a", 1), ("b", 2), ("c", 3)])
async def test_a_removed_row_shows_even_the_last(sealed: Database, target: str, position: int) -> None:
    async with sealed.write() as session:
        await session.execute(delete(AUDIT.table).where(AUDIT.table.c.target == target))
    assert (await AUDIT.verify(sealed)).broken_at == position


async def test_an_act_that_was_rolled_back_is_not_recorded(sealed: Database) -> None:
    async def fail() -> None:
        async with sealed.write() as session:
            await AUDIT.append(session, now=NOW, actor="user1", action="ban", target="e")
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await fail()
    assert await AUDIT.seal(sealed) == 0


async def test_the_newest_acts_come_first_and_by_target(sealed: Database) -> None:
    async with sealed.read() as session:
        assert [row.target for row in await AUDIT.latest(session)] == ["c", "b", "a"]
        (row,) = await AUDIT.latest(session, target="b")
    assert (row.at, row.actor, row.action, row.detail["why"]) == (NOW, "user1", "remove", "قلة أدب")


async def test_a_long_trail_is_sealed_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.store.audit._BATCH", 4)
    await database.create_all(METADATA)
    await act(database, *(str(number) for number in range(10)))
    assert await AUDIT.seal(database) == 10
    assert (await AUDIT.verify(database)).intact
