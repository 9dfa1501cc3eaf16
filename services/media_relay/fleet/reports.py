"""Reports of what became of sessions, for the directory."""

import asyncio
import contextlib
import random
from collections import deque

from majlis.room_directory.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from majlis.room_directory.v1.sessions_pb2 import SessionChange

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.media_relay.domain.events import Event
from services.media_relay.messages import change_of

BATCH_DELAY_SECONDS = 0.1
CROWD_DELAY_SECONDS = 0.5
"""Between two reports while many come or go: each costs the directory much the same, however few it names."""
BATCH_SIZE = 2000
MOST_PENDING = 20_000

_CROWD = 20
_REPORT_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0

_log = get_logger("directory")


class SessionReports:
    """Tells the directory what became of sessions: in order, in batches, each repeated until it is acknowledged.

    When more waits than may, only the last word about each session is kept.
    """

    def __init__(
        self, stub: "fleet_service_pb2_grpc.FleetServiceAsyncStub", relay_id: str, boot_id: str, metrics: Metrics
    ) -> None:
        self._stub = stub
        self._relay_id = relay_id
        self._boot_id = boot_id
        self._pending: deque[SessionChange] = deque()
        self._arrived = asyncio.Event()
        self._sending = asyncio.Lock()
        self._lost = metrics.counter(
            "majlis_media_relay_reports_lost_total", "Session reports the directory never got.", ("why",)
        )
        metrics.gauge(
            "majlis_media_relay_reports_pending", "Session reports the directory has not acknowledged."
        ).set_function(lambda: len(self._pending))

    def happened(self, event: Event, _now: float) -> None:
        """Notes what the directory must learn."""
        change = change_of(event)
        if change is None:
            return
        self._pending.append(change)
        if len(self._pending) > MOST_PENDING:
            self._coalesce()
        self._arrived.set()

    async def run(self) -> None:
        """Sends for ever."""
        pause, delay = _FIRST_PAUSE_SECONDS, BATCH_DELAY_SECONDS
        while True:
            await self._arrived.wait()
            await asyncio.sleep(delay)
            delay = CROWD_DELAY_SECONDS if len(self._pending) > _CROWD else BATCH_DELAY_SECONDS
            if await self._send():
                pause = _FIRST_PAUSE_SECONDS
                continue
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)

    async def hurry(self, seconds: float) -> None:
        """Sends what waits now, for so long at most: a load that counts sessions should not arrive before they do."""
        if self._pending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._send()

    async def _send(self) -> bool:
        async with self._sending:
            return not self._pending or await self._send_batch()

    async def flush(self, seconds: float) -> None:
        """Sends what is left before the relay stops, for so long at most; `run` must have ended."""
        try:
            async with asyncio.timeout(seconds):
                while self._pending and await self._send_batch():
                    pass
        except TimeoutError:
            _log.warning("the directory did not take the last session reports", left=len(self._pending))

    async def _send_batch(self) -> bool:
        batch = list(self._pending)[:BATCH_SIZE] if len(self._pending) > BATCH_SIZE else list(self._pending)
        request = fleet_service_pb2.ReportSessionsRequest(relay_id=self._relay_id, boot_id=self._boot_id, changes=batch)
        try:
            await self._stub.ReportSessions(request, timeout=_REPORT_SECONDS)
        except DomainError as error:
            if error.kind != "invalid_argument":
                return False
            self._lost.labels("refused").inc(len(batch))
            _log.error("the directory refused session reports", reason=error.reason, error=error.message)
        self._forget(batch)
        return True

    def _forget(self, batch: list[SessionChange]) -> None:
        # By identity: what was pending may have been coalesced while the batch was on its way.
        sent = {id(change) for change in batch}
        while self._pending and id(self._pending[0]) in sent:
            self._pending.popleft()
        if not self._pending:
            self._arrived.clear()

    def _coalesce(self) -> None:
        last = {change.session_id or change.permit_id: change for change in self._pending}
        kept = [change for change in self._pending if last[change.session_id or change.permit_id] is change]
        excess = max(0, len(kept) - MOST_PENDING // 2)
        self._lost.labels("queue_full").inc(excess)
        self._pending = deque(kept[excess:])
