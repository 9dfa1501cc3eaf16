"""One person's account: profile, state, ways in."""

import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.auth.domain import names
from services.auth.domain.errors import AccountIsSuspended, AccountNotFound, LastOperator, LastWayIn, PasskeyCopied
from services.auth.domain.events import (
    AccountCreated,
    AccountDeleted,
    AccountRestored,
    AccountSuspended,
    Event,
    ProfileChanged,
    SignedOut,
)

FRESH_SIGN_IN_WINDOW = timedelta(minutes=15)
LOCALES = ("en", "ar", "ru")


class AccountState(StrEnum):
    """Whether an account can be used."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProfile:
    """What a newcomer says of themselves, before any rule was applied."""

    handle: str
    display_name: str
    locale: str = ""
    spoken_languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """New values of a profile; None leaves a field as it is."""

    handle: str | None = None
    display_name: str | None = None
    bio: str | None = None
    avatar_hue: int | None = None
    locale: str | None = None
    spoken_languages: tuple[str, ...] | None = None


@dataclass(slots=True, kw_only=True)
class Account:
    """A person as auth knows them. `revision` is the one that was loaded."""

    user_id: str
    handle: str
    display_name: str
    created_at: datetime
    bio: str = ""
    avatar_hue: int = 0
    locale: str = "en"
    spoken_languages: tuple[str, ...] = ()
    email: str = ""
    operator: bool = False
    state: AccountState = AccountState.ACTIVE
    inviter_id: str = ""
    tokens_not_before: datetime | None = None
    """Access tokens issued before are refused; None when nothing was revoked yet."""
    revision: int = 0

    def must_be_usable(self) -> None:
        """Raises AccountNotFound for a deleted account and AccountIsSuspended for a suspended one."""
        if self.state is AccountState.DELETED:
            raise AccountNotFound("there is no such account")
        if self.state is AccountState.SUSPENDED:
            raise AccountIsSuspended("an operator suspended this account")

    def change_profile(self, change: ProfileChange, now: datetime) -> list[Event]:
        """Applies the change. Raises HandleInvalid, DisplayNameInvalid or BioInvalid and then changes nothing."""
        seen = (self.handle, self.display_name, self.bio, self.avatar_hue, self.spoken_languages)
        handle = self.handle if change.handle is None else names.handle(change.handle)
        display_name = self.display_name if change.display_name is None else names.display_name(change.display_name)
        self.bio = self.bio if change.bio is None else names.bio(change.bio)
        self.handle, self.display_name = handle, display_name
        self.avatar_hue = self.avatar_hue if change.avatar_hue is None else change.avatar_hue % 360
        self.locale = self.locale if change.locale is None else locale_of(change.locale)
        if change.spoken_languages is not None:
            self.spoken_languages = unique(change.spoken_languages)
        changed = seen != (self.handle, self.display_name, self.bio, self.avatar_hue, self.spoken_languages)
        return [ProfileChanged(self.user_id, now)] if changed else []

    def sign_out_everywhere(self, now: datetime) -> list[Event]:
        """Ends all sign-ins: tokens issued until now are refused."""
        self.tokens_not_before = now
        return [SignedOut(self.user_id, now)]

    def suspend(self, now: datetime, other_operators: int) -> list[Event]:
        """Makes the account unusable; nothing happens to one that is suspended. Raises LastOperator."""
        if self.state is AccountState.SUSPENDED:
            return []
        self._must_not_be_last_operator(other_operators)
        self.state = AccountState.SUSPENDED
        return [AccountSuspended(self.user_id, now), *self.sign_out_everywhere(now)]

    def restore(self, now: datetime) -> list[Event]:
        """Lifts a suspension; nothing happens to an active account."""
        if self.state is AccountState.ACTIVE:
            return []
        self.state = AccountState.ACTIVE
        return [AccountRestored(self.user_id, now)]

    def set_operator(self, operator: bool, now: datetime, other_operators: int) -> list[Event]:
        """Gives or takes the power; once taken, access tokens that carry it are refused.

        Raises LastOperator, or AccountIsSuspended for somebody who cannot use it.
        """
        if self.operator == operator:
            return []
        if operator:
            self.must_be_usable()
            self.operator = True
            return []
        self._must_not_be_last_operator(other_operators)
        self.operator = False
        return self.sign_out_everywhere(now)

    def delete(self, now: datetime, other_operators: int) -> list[Event]:
        """Leaves a tombstone: the id stays so that references hold, everything personal goes. Raises LastOperator."""
        self._must_not_be_last_operator(other_operators)
        self.state = AccountState.DELETED
        self.handle = self.display_name = self.bio = self.email = ""
        self.avatar_hue, self.locale, self.spoken_languages = 0, "en", ()
        self.operator = False
        return [AccountDeleted(self.user_id, now), *self.sign_out_everywhere(now)]

    def check_way_in_left(self, passkeys_left: int) -> None:
        """Raises LastWayIn when neither a passkey nor an address would remain."""
        if not passkeys_left and not self.email:
            raise LastWayIn("add another passkey or an e-mail address first")

    def _must_not_be_last_operator(self, others: int) -> None:
        if self.operator and self.state is AccountState.ACTIVE and not others:
            raise LastOperator("the deployment would be left without an operator")


@dataclass(slots=True, kw_only=True)
class Passkey:
    """One public key credential of an account (WebAuthn Level 3)."""

    passkey_id: str
    user_id: str
    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    label: str
    created_at: datetime
    used_at: datetime | None = None


def check_counter(before: int, now: int) -> None:
    """Raises PasskeyCopied when a passkey that counts did not count on (WebAuthn Level 3, §7.2 step 22)."""
    if (before or now) and now <= before:
        raise PasskeyCopied("the passkey's counter went back: there may be a copy of it")


def open_account(
    user_id: str, profile: NewProfile, now: datetime, *, inviter_id: str = "", operator: bool = False
) -> tuple[Account, list[Event]]:
    """A new account and what to tell of it. Raises HandleInvalid or DisplayNameInvalid."""
    account = Account(
        user_id=user_id,
        handle=names.handle(profile.handle),
        display_name=names.display_name(profile.display_name),
        created_at=now,
        avatar_hue=zlib.crc32(user_id.encode()) % 360,
        locale=locale_of(profile.locale),
        spoken_languages=unique(profile.spoken_languages),
        operator=operator,
        inviter_id=inviter_id,
    )
    return account, [AccountCreated(user_id, now)]


def locale_of(text: str) -> str:
    """The interface language, English when none or an unknown one was named."""
    return text if text in LOCALES else "en"


def unique(languages: tuple[str, ...]) -> tuple[str, ...]:
    """The languages in their order, each once."""
    return tuple(dict.fromkeys(languages))
