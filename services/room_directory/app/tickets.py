"""Signs the tickets that hold places in lines, and reads those that people show."""

from datetime import datetime

from majlis.contract.v1 import tokens_pb2

from services.common.clock import Clock
from services.common.errors import NotSignedIn, TokenExpired
from services.common.trust.claims import TokenKind, TokenSigner
from services.common.trust.tokens import TokenVerifier
from services.room_directory.app.keys import Keys
from services.room_directory.domain.errors import TicketInvalid
from services.room_directory.domain.waiting import Line, Ticket, Waiter

LIFE_SECONDS = 600
"""Longer than a place is kept: a room may be without an owner for a while, and its line is built anew then."""


TICKET = TokenKind.of(tokens_pb2.TicketClaims.DESCRIPTOR)


class Tickets:
    """Tickets of this deployment, whichever copy of this service signed them."""

    def __init__(self, keys: Keys, clock: Clock, deployment: str) -> None:
        self._signer = TokenSigner(TICKET, keys.ring)
        self._verifier = TokenVerifier(keys.published, TICKET.issuer, deployment, clock=clock)
        self._clock = clock
        self._deployment = deployment

    def issue(self, room_id: str, line: Line, waiter: Waiter) -> str:
        """The newest ticket of a place."""
        now = self._now()
        claims: dict[str, object] = {
            "audience": self._deployment,
            "user_id": waiter.user_id,
            "issued_at": now,
            "expires_at": now + LIFE_SECONDS,
            "room_id": room_id,
            "line_id": line.line_id,
            "arrived_at": waiter.arrived_at,
            "lot": waiter.lot,
            "turn": waiter.turn,
            "first": waiter.first,
        }
        return self._signer.sign(claims)

    async def read(self, token: str, room_id: str, user_id: str) -> Ticket | None:
        """What a ticket of this person and room says; None without one. Raises TicketInvalid."""
        if not token:
            return None
        try:
            said = TICKET.fields(await self._verifier.verify(token, TICKET.type))
            ticket = Ticket(
                user_id=said["user_id"],
                room_id=said["room_id"],
                line_id=said["line_id"],
                arrived_at=int(said["arrived_at"]),
                lot=int(said["lot"]),
                turn=int(said["turn"]),
                first=said["first"] is True,
                age=self._clock.now().timestamp() - int(said["issued_at"]),
            )
        except (NotSignedIn, TokenExpired, KeyError, TypeError, ValueError) as error:
            raise TicketInvalid from error
        if (ticket.user_id, ticket.room_id) != (user_id, room_id):
            raise TicketInvalid("the ticket is of another person, or for another room")
        return ticket

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def milliseconds(at: datetime) -> int:
    """A moment as tickets have it."""
    return int(at.timestamp() * 1000)
