"""The directory as the relay needs it: the keys that verify permits, and reports of what became of sessions."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from majlis.contract.v1 import tokens_pb2
from majlis.room_directory.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from majlis.room_directory.v1.room_pb2 import MEDIA_KIND_AUDIENCE, MEDIA_KIND_STAGE
from majlis.room_directory.v1.sessions_pb2 import (
    SESSION_CAUSE_DELETED,
    SESSION_CAUSE_DRAINING,
    SESSION_CAUSE_EXPIRED,
    SESSION_CAUSE_FAILED,
    SESSION_CAUSE_SEAT_ENDED,
    SESSION_CAUSE_UNSPECIFIED,
    SESSION_EVENT_CONNECTED,
    SESSION_EVENT_ENDED,
    SESSION_EVENT_IDLE,
    SESSION_EVENT_OPENED,
    SESSION_EVENT_REFUSED,
    SessionChange,
)

from services.common.errors import DomainError, NotSignedIn, TokenExpired
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.trust.claims import TokenKind
from services.common.trust.tokens import TokenVerifier
from services.media_relay.domain.errors import PermitInvalid
from services.media_relay.domain.events import (
    Cause,
    Event,
    PermitRefused,
    SessionConnected,
    SessionEnded,
    SessionIdle,
    SessionOpened,
)
from services.media_relay.domain.permits import Kind, Permit

PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)
KEY_SET_REFRESH_SECONDS = 60.0
BATCH_DELAY_SECONDS = 0.1
CROWD_DELAY_SECONDS = 0.5
"""Between two reports while many come or go: each costs the directory much the same, however few it names."""
BATCH_SIZE = 2000
MOST_PENDING = 20_000

_CAUSES = {
    Cause.DELETED: SESSION_CAUSE_DELETED,
    Cause.EXPIRED: SESSION_CAUSE_EXPIRED,
    Cause.SEAT_ENDED: SESSION_CAUSE_SEAT_ENDED,
    Cause.DRAINING: SESSION_CAUSE_DRAINING,
    Cause.FAILED: SESSION_CAUSE_FAILED,
}
_CROWD = 20
_FETCH_SECONDS = 2.0
_REPORT_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0

_log = get_logger("directory")


class PermitKeys:
    """Verifies permits with the directory's keys; those fetched last serve while the directory is away."""

    def __init__(
        self, stub: "fleet_service_pb2_grpc.FleetServiceAsyncStub", deployment: str, refused: Callable[[str], None]
    ) -> None:
        self._stub = stub
        self._last = ""
        self._verifier = TokenVerifier(self._fetch, PERMIT.issuer, deployment, refused=refused)

    async def verify(self, permit: str) -> Mapping[str, Any]:
        """The permit's claims by the words of the contract. Raises PermitInvalid or PartUnavailable."""
        try:
            return PERMIT.fields(await self._verifier.verify(permit, PERMIT.type))
        except (NotSignedIn, TokenExpired) as error:
            raise PermitInvalid(f"the permit is not accepted: {error.message}") from error

    async def keep_fresh(self) -> None:
        """Fetches the keys before anyone needs them, and again every minute."""
        while True:
            try:
                self._last = await self._ask()
                pause = KEY_SET_REFRESH_SECONDS
            except DomainError:
                pause = KEY_SET_REFRESH_SECONDS if self._last else 1.0
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 (jitter)

    async def _fetch(self) -> str:
        try:
            self._last = await self._ask()
        except DomainError:
            if not self._last:
                raise
        return self._last

    async def _ask(self) -> str:
        answer = await self._stub.GetKeySet(fleet_service_pb2.GetKeySetRequest(), timeout=_FETCH_SECONDS)
        return answer.jwks_json


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
        change = _change_of(event)
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


def _change_of(event: Event) -> SessionChange | None:
    kinds = {
        SessionOpened: SESSION_EVENT_OPENED,
        SessionConnected: SESSION_EVENT_CONNECTED,
        SessionIdle: SESSION_EVENT_IDLE,
        SessionEnded: SESSION_EVENT_ENDED,
    }
    if isinstance(event, PermitRefused):
        return _refusal(event.permit)
    kind = kinds.get(type(event))
    if kind is None:
        return None
    permit = event.session.permit
    return SessionChange(
        session_id=event.session.session_id,
        room_id=permit.room_id,
        user_id=permit.user_id,
        epoch=permit.epoch,
        kind=MEDIA_KIND_STAGE if permit.kind is Kind.STAGE else MEDIA_KIND_AUDIENCE,
        event=kind,
        cause=_CAUSES[event.cause] if isinstance(event, SessionEnded) else SESSION_CAUSE_UNSPECIFIED,
        sign_in_id=permit.sign_in_id,
        issued_at=permit.issued_at,
        permit_id=permit.permit_id,
        serial=event.session.serial,
    )


def _refusal(permit: Permit) -> SessionChange:
    return SessionChange(
        room_id=permit.room_id,
        user_id=permit.user_id,
        epoch=permit.epoch,
        kind=MEDIA_KIND_STAGE if permit.kind is Kind.STAGE else MEDIA_KIND_AUDIENCE,
        event=SESSION_EVENT_REFUSED,
        permit_id=permit.permit_id,
    )
