"""What the use cases need of the outside: stores, mail, passkeys, keys, chance."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.auth.domain.account import Account, Passkey
from services.auth.domain.challenge import Challenge
from services.auth.domain.events import Event
from services.auth.domain.personal_token import PersonalToken
from services.auth.domain.sign_in import RefreshToken, SignIn
from services.common.facts.outbox import StoredFact
from services.common.limits import Limit


@dataclass(frozen=True, slots=True)
class Redemption:
    """What auth knows of a redemption: the account it led to, or that it was closed without one."""

    redemption_id: str
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnerLink:
    """What is kept of the one-time link that makes the first operator."""

    token_hash: str
    used_at: datetime | None


class AccountRows(Protocol):
    """Accounts in and out of the store."""

    async def get_account(self, user_id: str) -> Account | None:
        """The account, tombstones too."""
        ...

    async def find_by_handle(self, handle: str) -> Account | None: ...

    async def find_by_email(self, email: str) -> Account | None:
        """The account that signs in with an address."""
        ...

    async def get_accounts(self, user_ids: Iterable[str]) -> list[Account]:
        """Those of the accounts that exist and are not deleted."""
        ...

    async def page_accounts(self, query: str, before: tuple[datetime, str] | None, limit: int) -> list[Account]:
        """Accounts newest first, from before a place in that order."""
        ...

    async def count_other_operators(self, user_id: str) -> int:
        """Active operators beside this one; they stay as they are until the transaction ends."""
        ...

    async def list_operators(self) -> list[Account]:
        """Active operators."""
        ...

    async def add_account(self, account: Account) -> None:
        """Stores a new account. Raises Conflict when its handle or address was taken meanwhile."""
        ...

    async def save_account(self, account: Account) -> None:
        """Stores a changed account. Raises Conflict when another change came between."""
        ...

    async def get_redemption(self, redemption_id: str) -> Redemption | None:
        """What a redemption led to."""
        ...

    async def add_redemption(self, redemption: Redemption) -> None:
        """Stores the end of a redemption. Raises Conflict when it has one."""
        ...

    async def get_owner_link(self) -> OwnerLink | None:
        """The owner link, if one was made."""
        ...

    async def put_owner_link(self, link: OwnerLink) -> None:
        """Stores the owner link in place of the one before."""
        ...


class PasskeyRows(Protocol):
    """Passkeys in and out of the store."""

    async def list_passkeys(self, user_id: str) -> list[Passkey]:
        """A person's passkeys, newest first."""
        ...

    async def find_passkey(self, credential_id: bytes) -> Passkey | None:
        """The passkey with WebAuthn's id of it."""
        ...

    async def add_passkey(self, passkey: Passkey) -> None:
        """Stores a new one. Raises Conflict when somebody has it."""
        ...

    async def save_passkey(self, passkey: Passkey) -> None:
        """Stores when it was used and its counter."""
        ...

    async def delete_passkey(self, user_id: str, passkey_id: str) -> None:
        """Deletes one of a person's passkeys."""
        ...


class SignInRows(Protocol):
    """Sign-ins and their refresh tokens in and out of the store."""

    async def get_sign_in(self, sign_in_id: str) -> SignIn | None:
        """One sign-in, ended ones too."""
        ...

    async def list_sign_ins(self, user_id: str, now: datetime) -> list[SignIn]:
        """A person's live sign-ins, newest first."""
        ...

    async def add_sign_in(self, sign_in: SignIn) -> None:
        """Stores a new one."""
        ...

    async def save_sign_in(self, sign_in: SignIn) -> None:
        """Stores a changed one."""
        ...

    async def end_sign_ins(self, user_id: str, now: datetime) -> None: ...

    async def add_refresh_token(self, token: RefreshToken) -> None:
        """Stores a new one."""
        ...

    async def find_refresh_token(self, token_hash: str) -> RefreshToken | None:
        """What is kept of a refresh token; no other transaction spends it before this one ends."""
        ...

    async def spend_refresh_token(self, token_hash: str, now: datetime) -> None:
        """Notes that it was traded."""
        ...


class PersonalTokenRows(Protocol):
    """Personal access tokens in and out of the store."""

    async def list_personal_tokens(self, user_id: str, now: datetime) -> list[PersonalToken]:
        """A person's live tokens, newest first."""
        ...

    async def get_personal_token(self, token_id: str) -> PersonalToken | None:
        """One token, revoked ones too."""
        ...

    async def find_personal_token(self, token_hash: str) -> PersonalToken | None: ...

    async def add_personal_token(self, token: PersonalToken) -> None:
        """Stores a new one."""
        ...

    async def save_personal_token(self, token: PersonalToken) -> None:
        """Stores when it was used or revoked."""
        ...

    async def revoke_personal_tokens(self, user_id: str, now: datetime) -> None:
        """Revokes all tokens of a person."""
        ...


class ChallengeRows(Protocol):
    """Challenges in and out of the store."""

    async def add_challenge(self, challenge: Challenge) -> None:
        """Stores a new one; when too many are open the oldest gives way."""
        ...

    async def get_challenge(self, challenge_id: str) -> Challenge | None:
        """One challenge; no other transaction answers it before this one ends."""
        ...

    async def save_challenge(self, challenge: Challenge) -> None:
        """Stores its tries and use."""
        ...


class Tx(AccountRows, PasskeyRows, SignInRows, PersonalTokenRows, ChallengeRows, Protocol):
    """One transaction on everything auth keeps."""

    told: list[Event]
    """What `tell` was given."""

    async def erase_credentials(self, user_id: str) -> None:
        """Deletes all that a person signs in with: passkeys, tokens, sign-ins, open challenges."""
        ...

    async def tell(self, events: Sequence[Event]) -> None:
        """Stores facts for the other services; they hear of them after the commit."""
        ...

    async def audit(
        self, now: datetime, actor: str, action: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Records who did what."""
        ...


class Store(Protocol):
    """Where transactions come from."""

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that commits at the end of the block."""
        ...

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that only looks."""
        ...

    def rehearse(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction for ends alone: it looks, and its changes go nowhere."""
        ...

    async def facts_after(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        ...


class Chance(Protocol):
    """Where ids and secrets come from."""

    def new_id(self) -> str: ...

    def secret(self) -> bytes:
        """32 bytes nobody can guess."""
        ...

    def code(self) -> str:
        """Six digits nobody can guess."""
        ...


class Keys(Protocol):
    """The keys of this deployment's tokens."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An access token with these claims, by the words of the contract."""
        ...

    @property
    def token_key(self) -> bytes:
        """Keys the hashes of codes and the chain of refresh tokens."""
        ...

    async def jwks_json(self) -> str:
        """The public keys as a JSON Web Key Set."""
        ...


class Limits(Protocol):
    """Counts tries."""

    def take(self, limit: Limit, key: str = "") -> None:
        """Counts one. Raises RateLimited when there were too many."""
        ...

    def give_back(self, limit: Limit, key: str = "") -> None:
        """Uncounts one that turned out to be good."""
        ...


class Mail(Protocol):
    """Sends messages to people, in their language, without making the caller wait."""

    @property
    def can_deliver(self) -> bool:
        """Whether messages go anywhere in this deployment."""
        ...

    def send_code(self, address: str, locale: str, code: str) -> None:
        """A one-time code to sign in with."""
        ...

    def send_address_code(self, address: str, locale: str, code: str) -> None:
        """A one-time code that makes an address somebody's."""
        ...

    def send_address_changed(self, address: str, locale: str, new_address: str) -> None:
        """Tells the address of before that another one signs in now."""
        ...

    def send_turn(self, address: str, locale: str, link: str, minutes: int) -> None:
        """Tells who waited before the doors that it is their turn."""
        ...


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey as its authenticator presented it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


class Passkeys(Protocol):
    """The WebAuthn ceremonies; each check raises PasskeyInvalid, that of a sign-in PasskeyCopied, too."""

    def registration_options(self, account: Account, existing: Sequence[Passkey], challenge: bytes) -> str:
        """PublicKeyCredentialCreationOptionsJSON."""
        ...

    def check_registration(self, credential_json: str, challenge: bytes) -> NewPasskey:
        """The passkey, when the answer to the challenge verifies."""
        ...

    def sign_in_options(self, challenge: bytes) -> str:
        """PublicKeyCredentialRequestOptionsJSON for discoverable credentials."""
        ...

    def credential_id(self, credential_json: str) -> bytes:
        """Which passkey an answer claims to be from."""
        ...

    def check_sign_in(self, credential_json: str, challenge: bytes, passkey: Passkey) -> int:
        """The authenticator's new counter, when the answer to the challenge verifies with the passkey."""
        ...


class Counters(Protocol):
    """What operators want to count."""

    def sign_in(self, method: str, result: str) -> None:
        """One try to sign in."""
        ...

    def account_created(self) -> None: ...

    def refresh_reused(self) -> None:
        """A spent refresh token came again."""
        ...


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a call comes from, for limits and for the list of sign-ins."""

    network: str = ""
    user_agent: str = ""
