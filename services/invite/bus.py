"""What auth's facts mean here."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from google.protobuf.message import Message
from majlis.auth.v1 import auth_facts_pb2 as auth
from majlis.invite.v1 import invite_facts_pb2
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb

from services.common.clock import Clock
from services.common.trust.revocations import RevocationList
from services.invite.domain.headroom import Fleet, RelayReport
from services.invite.messages import relay_report
from services.programme.introductions import Introductions

HEARD_FACTS: tuple[type[Message], ...] = (
    auth.AccountCreated,
    auth.ProfileChanged,
    auth.SignedOut,
    auth.AccountSuspended,
    auth.AccountRestored,
    auth.AccountDeleted,
)
LOOK_BACK = 1000
# A redemption matters to a closed room that is live; no room outlives a directory that was away for days.
PASSING: tuple[type[Message], ...] = (invite_facts_pb2.InvitationRedeemed,)


class Cursor(Protocol):
    """Where the number of the last fact is kept."""

    async def load(self, source: str) -> int:
        """The last number, 0 at first."""
        ...

    async def save(self, source: str, number: int) -> None: ...


class RewindingCursor:
    """Begins some facts before the last one: sign-outs are kept in memory and must be heard again after a start."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    async def load(self, source: str) -> int:
        """The number to go on from."""
        return max(0, await self._cursor.load(source) - LOOK_BACK)

    async def save(self, source: str, number: int) -> None:
        await self._cursor.save(source, number)


class People(Protocol):
    """What the use cases do about people."""

    async def account_created(self, user_id: str, at: datetime) -> None:
        """Somebody came."""
        ...

    async def standing_changed(self, user_id: str, standing: str) -> None:
        """Suspended or active again."""
        ...

    def account_deleted(self, user_id: str) -> Awaitable[None]:
        """Somebody left for good."""
        ...


class AuthFacts:
    """Handles auth's facts; each may come twice."""

    def __init__(self, people: People, forget_profile: Callable[[str], None], revocations: RevocationList) -> None:
        self._people = people
        self._forget_profile = forget_profile
        self._revocations = revocations

    async def handle(self, fact: Any) -> None:
        """Does what a fact asks for."""
        at = fact.occurred_at.ToDatetime(tzinfo=UTC)
        if isinstance(fact, auth.AccountCreated):
            await self._people.account_created(fact.user_id, at)
        elif isinstance(fact, auth.SignedOut):
            self._signed_out(fact, at)
        elif isinstance(fact, auth.AccountSuspended):
            self._revocations.revoke_user(fact.user_id, at)
            await self._people.standing_changed(fact.user_id, "suspended")
        elif isinstance(fact, auth.AccountRestored):
            await self._people.standing_changed(fact.user_id, "active")
        elif isinstance(fact, auth.AccountDeleted):
            self._revocations.revoke_user(fact.user_id, at)
            await self._people.account_deleted(fact.user_id)
        self._forget_profile(fact.user_id)

    def _signed_out(self, fact: auth.SignedOut, at: datetime) -> None:
        if fact.sign_in_id:
            self._revocations.revoke_sign_in(fact.sign_in_id)
        else:
            self._revocations.revoke_user(fact.user_id, at)


def load_handler(
    fleet: Fleet, introductions: Introductions[RelayReport], clock: Clock
) -> Callable[[relay_pb.RelayLoad], Awaitable[None]]:
    """Takes in what relays carry: doors follow it. Made-up relays are no room: only those count that answer."""

    async def handle(load: relay_pb.RelayLoad) -> None:
        report = relay_report(load)
        if fleet.recognises(report) and not introductions.looks_at(report.relay_id):
            fleet.hear(report, clock.monotonic())
        else:
            introductions.look_at(report)

    return handle
