"""Domain events of auth as messages of its contract."""

from google.protobuf.message import Message
from majlis.auth.v1 import auth_facts_pb2 as facts

from services.auth.domain import events

_MESSAGES: dict[type[events.Event], type[Message]] = {
    events.AccountCreated: facts.AccountCreated,
    events.ProfileChanged: facts.ProfileChanged,
    events.SignedOut: facts.SignedOut,
    events.AccountSuspended: facts.AccountSuspended,
    events.AccountRestored: facts.AccountRestored,
    events.AccountDeleted: facts.AccountDeleted,
}


def encode(event: events.Event) -> Message:
    """The message of an event; its number is set by the outbox."""
    message = _MESSAGES[type(event)](user_id=event.user_id, occurred_at=event.at)
    if isinstance(event, events.SignedOut):
        message.sign_in_id = event.sign_in_id  # type: ignore[attr-defined]
    return message
