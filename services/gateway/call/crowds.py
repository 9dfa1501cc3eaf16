"""Calls that draw crowds: who goes first at the turnstile, and what those are given whom it sends away."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message
from majlis.contract.v1 import tokens_pb2

from services.common.errors import Crowded, DomainError
from services.common.rpc.caller import FORWARDED_WAITED
from services.common.trust.claims import ACCESS, TokenKind
from services.gateway.call.forwarder import Metadata
from services.gateway.call.offered import Offered
from services.gateway.call.slips import Knocker, Slips
from services.gateway.call.turnstile import Rank, Turnstile
from services.gateway.call.unverified import read_token

SLIP = "slip"
"""Under this name a slip is in the details of CROWDED, and in the request that comes back with it."""

_TICKET = TokenKind.of(tokens_pb2.TicketClaims.DESCRIPTOR)

_VOUCH_SECONDS = 0.25
"""Whoever has no answer by then, as while keys cannot be had, counts as a newcomer."""

Vouch = Callable[[str], Awaitable[object]]
"""Verifies an access token. Raises a DomainError for one that is not."""
IsInside = Callable[[str, str], bool]
"""Whether a person (second) is known here to be in a room (first), or to have been just now."""


@dataclass(frozen=True, slots=True)
class Knock:
    """One call at the turnstile. Who makes it is what its token says: whom the call is for verifies that."""

    knocker: Knocker
    rank: Rank
    arrived_at: float
    """When they came first, in seconds since the epoch."""
    due_at: float = 0.0
    """Until when they were told to wait, if they were."""

    def waited(self, now: float) -> Metadata:
        """What whom the call is for is told: a span, since clocks differ."""
        return ((FORWARDED_WAITED, str(max(0, int((now - self.arrived_at) * 1000)))),)


@dataclass(frozen=True, slots=True)
class Crowds:
    """The one turnstile and who passes it."""

    slips: Slips
    is_inside: IsInside
    turnstile: Turnstile = field(default_factory=Turnstile)
    now: Callable[[], float] = time.time
    vouch: Vouch | None = None
    sent_away: Callable[[Rank], None] = lambda _: None
    """Hears of each call that is sent away."""

    def knock(self, offered: Offered, request: Message, token: str | None) -> Knock:
        """How a call is to be treated, by what it says; takes the slip out of its request.

        What cannot be read counts as not there.
        """
        now, fields = self.now(), request.DESCRIPTOR.fields_by_name
        room_id, ticket, shown = (
            str(getattr(request, name)) if name in fields else "" for name in ("room_id", "ticket", SLIP)
        )
        if shown:
            request.ClearField(SLIP)
        said = read_token(token or "")
        user_id = said.texts(ACCESS, "user_id")[0] if said is not None else ""
        knocker = Knocker(offered.path, room_id, user_id)
        slip = self.slips.read(shown, knocker) if shown and user_id else None
        arrived_at = min(now, slip.arrived_at) if slip is not None else now
        if user_id and (_holds_ticket(ticket, knocker, now) or self.is_inside(room_id, user_id)):
            return Knock(knocker, Rank.INSIDE, arrived_at)
        if slip is None:
            return Knock(knocker, Rank.NEW, arrived_at)
        return Knock(knocker, Rank.DUE if slip.due_at <= now else Rank.EARLY, arrived_at, slip.due_at)

    async def believed(self, knock: Knock, token: str | None) -> Knock:
        """The same as far as it is true.

        Where it matters who goes first, whoever says that they belong inside shows a token that is theirs: strangers
        without an account made one up, and kept everybody else out.
        """
        if knock.rank is not Rank.INSIDE or self.vouch is None or not self.turnstile.is_crowded:
            return knock
        return knock if await self._is_vouched(self.vouch, token or "") else replace(knock, rank=Rank.NEW)

    @staticmethod
    async def _is_vouched(vouch: Vouch, token: str) -> bool:
        try:
            async with asyncio.timeout(_VOUCH_SECONDS):
                await vouch(token)
        except (DomainError, TimeoutError):
            return False
        return True

    @asynccontextmanager
    async def turn(self, knock: Knock) -> AsyncGenerator[None, None]:
        """Around one call. Raises Crowded, with a slip to come back with."""
        try:
            async with self.turnstile.turn(knock.rank):
                yield
        except Crowded as refusal:
            self.sent_away(knock.rank)
            if knock.knocker.user_id:
                after = max(refusal.retry_after_seconds or 0.0, knock.due_at - self.now())
                refusal.retry_after_seconds = after
                refusal.metadata[SLIP] = self.slips.write(knock.knocker, knock.arrived_at, after)
            raise


def _holds_ticket(ticket: str, knocker: Knocker, now: float) -> bool:
    """Whether it looks like a ticket of this person's: who shows a forged one comes before newcomers to be refused."""
    said = read_token(ticket) if ticket else None
    if said is None or said.type != _TICKET.type:
        return False
    ends_at = said.claims.get(_TICKET.names["expires_at"])
    whose = said.texts(_TICKET, "user_id", "room_id")
    return whose == (knocker.user_id, knocker.room_id) and isinstance(ends_at, int) and ends_at > now
