"""Old facts and old acts go, and nobody who comes late is told less for it."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from majlis.auth.v1 import auth_facts_pb2 as facts
from sqlalchemy import MetaData, update

from services.auth.bus import OUTDATED_BY, PASSING
from services.common.facts.outbox import Outbox
from services.common.facts.outbox_retention import FactRetention
from services.common.sight.metrics import Metrics
from services.common.store.audit import AuditLog
from services.common.store.database import Database
from services.common.store.retention import Keeping, Retention
from tests.support.fake_clock import FakeClock

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=40)
BEFORE = NOW - timedelta(days=30)
METADATA = MetaData()
OUTBOX = Outbox(METADATA)
AUDIT = AuditLog(METADATA)
RETENTION = FactRetention(OUTBOX, PASSING, OUTDATED_BY)
USER = "user000000000001"
STANDINGS = {"AccountSuspended": "suspended", "AccountRestored": "active", "AccountDeleted": "deleted"}


async def tell(
    database: Database, *types: Any, user_id: str = USER, at: datetime = OLD, published: bool = True
) -> None:
    async with database.write() as session:
        for kind in types:
            number = await OUTBOX.append(session, kind(user_id=user_id), at)
            if published:
                await OUTBOX.mark_published(session, [number])


async def told(database: Database) -> list[Any]:
    async with database.read() as session:
        return [fact.event for fact in await OUTBOX.list_after(session, 0, 1000)]


async def names(database: Database) -> list[str]:
    return [event.DESCRIPTOR.name for event in await told(database)]


def picture(events: list[Any]) -> dict[str, str]:
    """What a service that reads all these facts knows of everybody."""
    known: dict[str, str] = {}
    for event in events:
        name = event.DESCRIPTOR.name
        if name == "AccountCreated":
            known.setdefault(event.user_id, "active")
        elif name in STANDINGS and known.get(event.user_id) != "deleted":
            known[event.user_id] = STANDINGS[name]
    return known


@pytest.fixture
async def outbox(database: Database) -> Database:
    await database.create_all(METADATA)
    return database


async def test_old_facts_without_effect_go_and_young_ones_stay(outbox: Database) -> None:
    await tell(outbox, facts.AccountCreated, facts.ProfileChanged, facts.SignedOut)
    await tell(outbox, facts.ProfileChanged, facts.SignedOut, at=NOW)
    assert await RETENTION.delete_before(outbox, BEFORE) == 2
    assert await names(outbox) == ["AccountCreated", "ProfileChanged", "SignedOut"]


async def test_only_the_last_word_about_a_person_stays(outbox: Database) -> None:
    await tell(outbox, facts.AccountCreated, facts.AccountSuspended, facts.AccountRestored, facts.AccountSuspended)
    assert await RETENTION.delete_before(outbox, BEFORE) == 2
    assert await names(outbox) == ["AccountCreated", "AccountSuspended"]
    await tell(outbox, facts.AccountDeleted, at=NOW)
    assert await RETENTION.delete_before(outbox, BEFORE) == 2
    assert await names(outbox) == ["AccountDeleted"]


async def test_a_fact_the_bus_has_not_had_yet_stays(outbox: Database) -> None:
    await tell(outbox, facts.ProfileChanged, published=False)
    assert await RETENTION.delete_before(outbox, BEFORE) == 0


async def test_what_an_earlier_release_stored_is_understood(outbox: Database) -> None:
    await tell(outbox, facts.AccountSuspended, facts.AccountRestored)
    async with outbox.write() as session:
        await session.execute(update(OUTBOX.table).values(entity=None))
    assert await RETENTION.delete_before(outbox, BEFORE) == 1
    assert await names(outbox) == ["AccountRestored"]


async def test_many_facts_go_in_batches_and_a_round_has_an_end(
    outbox: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.store.retention.BATCH", 3)
    monkeypatch.setattr("services.common.store.retention.MOST_BATCHES", 2)
    await tell(outbox, *[facts.SignedOut] * 8)
    assert [await RETENTION.delete_before(outbox, BEFORE) for _ in range(3)] == [6, 2, 0]


@pytest.mark.parametrize("seed", range(4))
async def test_a_reader_that_comes_late_gets_the_whole_picture(outbox: Database, seed: int) -> None:
    """Whoever begins anew, or stopped anywhere before, knows in the end what those know who missed nothing."""
    chance = random.Random(seed)
    people = [f"user00000000000{number}" for number in range(4)]
    for user_id in people:
        await tell(outbox, facts.AccountCreated, user_id=user_id)
    kinds = (facts.ProfileChanged, facts.SignedOut, facts.AccountSuspended, facts.AccountRestored)
    for _ in range(40):
        await tell(outbox, chance.choice(kinds), user_id=chance.choice(people), at=chance.choice([OLD, NOW]))
    await tell(outbox, facts.AccountDeleted, user_id=people[0])
    everything = await told(outbox)
    assert await RETENTION.delete_before(outbox, BEFORE) > 5
    kept = await told(outbox)
    for handled in (0, 3, 10, 25, len(everything)):
        late = everything[:handled] + [event for event in kept if event.number > handled]
        assert picture(late) == picture(everything), f"stopped after {handled}"


async def act(database: Database, *targets: str, at: datetime = OLD) -> None:
    async with database.write() as session:
        for target in targets:
            await AUDIT.append(session, now=at, actor=USER, action="remove", target=target)
    await AUDIT.seal(database)


async def test_old_acts_go_and_the_rest_of_the_chain_still_proves_itself(outbox: Database) -> None:
    await act(outbox, "a", "b", "c")
    await act(outbox, "d", at=NOW)
    assert await AUDIT.delete_before(outbox, BEFORE, NOW) == 3
    await AUDIT.seal(outbox)
    verdict = await AUDIT.verify(outbox)
    assert (verdict.intact, verdict.sealed, verdict.unsealed) == (True, 2, 0)
    async with outbox.read() as session:
        newest, oldest = await AUDIT.latest(session)
    assert (oldest.target, newest.action, newest.detail["rows"]) == ("d", "audit_deleted", 3)


async def test_a_change_to_what_is_left_of_the_audit_shows(outbox: Database) -> None:
    await act(outbox, "a", "b")
    await act(outbox, "c", at=NOW)
    await AUDIT.delete_before(outbox, BEFORE, NOW)
    async with outbox.write() as session:
        await session.execute(update(AUDIT.table).where(AUDIT.table.c.target == "c").values(actor="somebody else"))
    assert (await AUDIT.verify(outbox)).broken_at == 3


async def test_an_old_act_behind_a_young_one_and_one_not_sealed_yet_stay(outbox: Database) -> None:
    await act(outbox, "a", at=NOW)
    await act(outbox, "b")
    async with outbox.write() as session:
        await AUDIT.append(session, now=OLD, actor=USER, action="remove", target="c")
    assert await AUDIT.delete_before(outbox, BEFORE, NOW) == 0


async def test_everything_can_go_and_the_chain_goes_on(outbox: Database) -> None:
    await act(outbox, "a", "b")
    assert await AUDIT.delete_before(outbox, NOW + timedelta(days=1), NOW) == 2
    await AUDIT.seal(outbox)
    await act(outbox, "c", at=NOW)
    assert (await AUDIT.verify(outbox)).intact


async def test_zero_days_keep_for_ever_and_each_kind_is_counted() -> None:
    asked: list[datetime] = []

    async def delete_before(before: datetime) -> int:
        asked.append(before)
        return 7

    clock, metrics = FakeClock(), Metrics("auth")
    keepings = [Keeping("facts", 30, delete_before), Keeping("audit", 0, delete_before)]
    await Retention(keepings, clock, metrics).run_once()
    assert asked == [clock.now() - timedelta(days=30)]
    sample = metrics.registry.get_sample_value("majlis_retention_deleted_rows_total", {"what": "facts"})
    assert sample == 7
