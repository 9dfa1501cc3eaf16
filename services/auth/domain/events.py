"""What happened in auth, as values."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AccountCreated:
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """What others see of a person changed."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SignedOut:
    """One sign-in ended, or all of them when `sign_in_id` is empty."""

    user_id: str
    at: datetime
    sign_in_id: str = ""


@dataclass(frozen=True, slots=True)
class AccountSuspended:
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AccountRestored:
    """A suspension was lifted."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AccountDeleted:
    user_id: str
    at: datetime


Event = AccountCreated | ProfileChanged | SignedOut | AccountSuspended | AccountRestored | AccountDeleted
