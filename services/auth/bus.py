"""What the events of auth mean on the bus, and for tokens checked in this process."""

from collections.abc import Iterable
from datetime import UTC

from google.protobuf.message import Message
from majlis.auth.v1 import auth_facts_pb2 as facts

from services.auth.app.unsaved import Unsaved
from services.auth.domain import events
from services.auth.messages import encode
from services.common.facts.outbox import FactBus
from services.common.trust.revocations import RevocationList

# Caches and tokens that they concern are gone within minutes.
PASSING: tuple[type[Message], ...] = (facts.ProfileChanged, facts.SignedOut)
_STANDINGS: tuple[type[Message], ...] = (facts.AccountSuspended, facts.AccountRestored, facts.AccountDeleted)
OUTDATED_BY: dict[type[Message], tuple[type[Message], ...]] = {
    facts.AccountCreated: (facts.AccountDeleted,),
    facts.AccountSuspended: _STANDINGS,
    facts.AccountRestored: _STANDINGS,
}


async def write_or_tell(unsaved: Unsaved, bus: FactBus) -> None:
    """Writes what waits; what still does is told without a number, again and again: readers act on it once."""
    await unsaved.write_waiting()
    for event in unsaved.facts:
        if bus.connected:
            await bus.publish(encode(event))


def revoke(revocations: RevocationList, happened: Iterable[events.Event]) -> None:
    """Refuses the access tokens of sign-ins that have ended."""
    for event in happened:
        if isinstance(event, events.SignedOut):
            _revoke(revocations, event)


def revoke_from_facts(revocations: RevocationList, happened: Iterable[Message]) -> None:
    """The same from stored facts, after a start."""
    for message in happened:
        if isinstance(message, facts.SignedOut):
            at = message.occurred_at.ToDatetime(tzinfo=UTC)
            _revoke(revocations, events.SignedOut(message.user_id, at, message.sign_in_id))


def _revoke(revocations: RevocationList, event: events.SignedOut) -> None:
    if event.sign_in_id:
        revocations.revoke_sign_in(event.sign_in_id)
    else:
        revocations.revoke_user(event.user_id, event.at)
