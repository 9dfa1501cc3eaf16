"""Turns what the use cases return into messages of the contract."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import account_pb2 as pb
from majlis.auth.v1 import auth_facts_pb2 as facts

from services.auth.app.sessions import OwnAccount, Tokens
from services.auth.domain import account as domain
from services.auth.domain import events
from services.auth.domain.personal_token import PersonalToken
from services.auth.domain.sign_in import SignIn
from services.common.text.look_alikes import look

_STATES = {
    domain.AccountState.ACTIVE: pb.ACCOUNT_STATE_ACTIVE,
    domain.AccountState.SUSPENDED: pb.ACCOUNT_STATE_SUSPENDED,
    domain.AccountState.DELETED: pb.ACCOUNT_STATE_UNSPECIFIED,
}


def moment(at: datetime | None) -> Timestamp | None:
    """A moment of the contract; None stays unset."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def new_profile(message: pb.NewProfile) -> domain.NewProfile:
    """What a newcomer says of themselves."""
    return domain.NewProfile(
        handle=message.handle,
        display_name=message.display_name,
        locale=message.locale,
        spoken_languages=tuple(message.spoken_languages),
    )


def profile(account: domain.Account) -> pb.Profile:
    """What everyone signed in may see."""
    return pb.Profile(
        user_id=account.user_id,
        handle=account.handle,
        display_name=account.display_name,
        bio=account.bio,
        avatar_hue=account.avatar_hue,
        spoken_languages=account.spoken_languages,
        looks=look(account.display_name),
    )


def own(own_account: OwnAccount) -> pb.Account:
    """An account as its owner and operators see it."""
    account = own_account.account
    return pb.Account(
        profile=profile(account),
        locale=account.locale,
        email=account.email,
        operator=account.operator,
        passkeys=[_passkey(passkey) for passkey in own_account.passkeys],
        created_at=moment(account.created_at),
        state=_STATES[account.state],
    )


def tokens(pair: Tokens | None) -> pb.Tokens:
    """A pair of tokens; empty when there is none."""
    if pair is None:
        return pb.Tokens()
    return pb.Tokens(
        access_token=pair.access_token,
        access_expires_at=moment(pair.access_expires_at),
        refresh_token=pair.refresh_token,
        refresh_expires_at=moment(pair.refresh_expires_at),
    )


def sign_in(found: SignIn, current: str | None) -> pb.SignIn:
    """One sign-in; `current` is the id of the one the list was asked with."""
    return pb.SignIn(
        sign_in_id=found.sign_in_id,
        created_at=moment(found.created_at),
        used_at=moment(found.used_at),
        device=found.device,
        current=found.sign_in_id == current,
    )


def personal_token(found: PersonalToken) -> pb.PersonalToken:
    """What is kept of a personal access token."""
    return pb.PersonalToken(
        token_id=found.token_id,
        label=found.label,
        scopes=found.scopes,
        created_at=moment(found.created_at),
        expires_at=moment(found.expires_at),
        used_at=moment(found.used_at),
    )


def _passkey(passkey: domain.Passkey) -> pb.Passkey:
    return pb.Passkey(
        passkey_id=passkey.passkey_id,
        label=passkey.label,
        created_at=moment(passkey.created_at),
        used_at=moment(passkey.used_at),
    )


_FACTS: dict[type[events.Event], type[Message]] = {
    events.AccountCreated: facts.AccountCreated,
    events.ProfileChanged: facts.ProfileChanged,
    events.SignedOut: facts.SignedOut,
    events.AccountSuspended: facts.AccountSuspended,
    events.AccountRestored: facts.AccountRestored,
    events.AccountDeleted: facts.AccountDeleted,
}


def encode(event: events.Event) -> Message:
    """The message of an event; its number is set by the outbox."""
    message = _FACTS[type(event)](user_id=event.user_id, occurred_at=event.at)
    if isinstance(event, events.SignedOut):
        message.sign_in_id = event.sign_in_id  # type: ignore[attr-defined]
    return message
