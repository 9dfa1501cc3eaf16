"""Reports of sessions reach the directory in order, once acknowledged never again, and in bounded memory."""

import asyncio
from typing import Any

import pytest
from majlis.room_directory.v1 import fleet_service_pb2
from majlis.room_directory.v1.sessions_pb2 import (
    SESSION_CAUSE_DELETED,
    SESSION_EVENT_CONNECTED,
    SESSION_EVENT_ENDED,
    SESSION_EVENT_OPENED,
)

from services.common.errors import FieldInvalid, PartUnavailable
from services.common.sight.metrics import Metrics
from services.media_relay.domain.events import Cause, SessionConnected, SessionEnded, SessionOpened
from services.media_relay.fleet import reports as telling
from services.media_relay.fleet.reports import SessionReports
from tests.support.fake_bus import eventually
from tests.support.relay_fakes import RelayBench


class Stub:
    """A directory that answers as told."""

    def __init__(self) -> None:
        self.batches: list[fleet_service_pb2.ReportSessionsRequest] = []
        self.failures: list[Exception] = []
        self.while_answering: Any = lambda: None

    async def ReportSessions(
        self, request: fleet_service_pb2.ReportSessionsRequest, timeout: float
    ) -> fleet_service_pb2.ReportSessionsResponse:
        assert timeout
        self.batches.append(request)
        self.while_answering()
        if self.failures:
            raise self.failures.pop(0)
        return fleet_service_pb2.ReportSessionsResponse()


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("media_relay")


@pytest.fixture
def reports(stub: Stub, metrics: Metrics) -> SessionReports:
    return SessionReports(stub, "relay00000", "boot000001", metrics)  # type: ignore[arg-type]


async def sessions(count: int) -> list[Any]:
    bench = RelayBench()
    for number in range(count):
        await bench.open(sub=f"user{number:06d}")
    return list(bench.relay.sessions)


async def test_what_happened_is_told_in_order_with_relay_and_boot(stub: Stub, reports: SessionReports) -> None:
    (session,) = await sessions(1)
    reports.happened(SessionOpened(session), 0.0)
    reports.happened(SessionConnected(session), 0.0)
    reports.happened(SessionEnded(session, Cause.DELETED), 0.0)
    await reports.flush(1.0)
    (batch,) = stub.batches
    assert (batch.relay_id, batch.boot_id) == ("relay00000", "boot000001")
    assert [change.event for change in batch.changes] == [
        SESSION_EVENT_OPENED,
        SESSION_EVENT_CONNECTED,
        SESSION_EVENT_ENDED,
    ]
    assert batch.changes[-1].cause == SESSION_CAUSE_DELETED


async def test_a_batch_is_sent_again_until_it_is_taken(stub: Stub, reports: SessionReports) -> None:
    stub.failures = [PartUnavailable("away"), PartUnavailable("away")]
    (session,) = await sessions(1)
    reports.happened(SessionOpened(session), 0.0)
    running = asyncio.ensure_future(reports.run())
    await asyncio.sleep(60)
    running.cancel()
    assert [len(batch.changes) for batch in stub.batches] == [1, 1, 1]


async def test_a_crowd_is_told_of_in_few_batches(stub: Stub, reports: SessionReports) -> None:
    crowd = await sessions(30)
    running = asyncio.ensure_future(reports.run())
    for _ in range(20):
        for session in crowd:
            reports.happened(SessionConnected(session), 0.0)
        await asyncio.sleep(telling.BATCH_DELAY_SECONDS)
    await eventually(lambda: sum(len(batch.changes) for batch in stub.batches) == 20 * len(crowd))
    running.cancel()
    # One batch at the everyday pace, then one each half a second: at the everyday pace it would have been twenty.
    assert len(stub.batches) <= 6


async def test_what_happens_while_a_batch_is_on_its_way_is_not_lost(stub: Stub, reports: SessionReports) -> None:
    first, second = await sessions(2)
    reports.happened(SessionOpened(first), 0.0)

    def meanwhile() -> None:
        stub.while_answering = lambda: None
        reports.happened(SessionOpened(second), 0.0)

    stub.while_answering = meanwhile
    await reports.flush(1.0)
    told = [change.session_id for batch in stub.batches for change in batch.changes]
    assert told == [first.session_id, second.session_id]


async def test_a_batch_the_contract_refuses_does_not_stop_the_next(
    stub: Stub, reports: SessionReports, metrics: Metrics
) -> None:
    first, second = await sessions(2)
    stub.failures = [FieldInvalid("no")]
    reports.happened(SessionOpened(first), 0.0)
    await reports.flush(1.0)
    reports.happened(SessionOpened(second), 0.0)
    await reports.flush(1.0)
    assert [batch.changes[0].session_id for batch in stub.batches] == [first.session_id, second.session_id]
    lost = metrics.registry.get_sample_value("majlis_media_relay_reports_lost_total", {"why": "refused"})
    assert lost == 1


async def test_when_too_much_waits_the_last_word_about_each_session_is_kept(
    stub: Stub, reports: SessionReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "MOST_PENDING", 6)
    every = await sessions(3)
    for session in every:
        reports.happened(SessionOpened(session), 0.0)
    for session in every:
        reports.happened(SessionConnected(session), 0.0)
    reports.happened(SessionEnded(every[0], Cause.EXPIRED), 0.0)
    await reports.flush(1.0)
    told = [(change.session_id, change.event) for batch in stub.batches for change in batch.changes]
    assert told == [
        (every[1].session_id, SESSION_EVENT_CONNECTED),
        (every[2].session_id, SESSION_EVENT_CONNECTED),
        (every[0].session_id, SESSION_EVENT_ENDED),
    ]
