"""What invite can be told."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from services.common.settings import ServiceSettings

MOST_PLACE_HOURS = 8760


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    public_url: str
    """Address people open, scheme and host and port: links begin with it."""
    database_url: str = "sqlite+aiosqlite:///var/invite/invite.db"
    """Database of invitations: sqlite+aiosqlite:///file or postgresql+asyncpg://..."""
    database_schema: str = "invite"
    """Schema of the tables on PostgreSQL."""
    code_secret_file: Path
    """File with the secret of link codes; made at the first start. Without it links cannot be shown again."""
    quota: int = 2
    """How many invitations a member is given."""
    expiry_days: int = 30
    """Days an invitation can be redeemed."""
    claim_seconds: float = 900.0
    """How long a redemption that was left unfinished holds its invitation, and may be repeated."""
    sweep_seconds: float = 30.0
    """How often unfinished redemptions and expired invitations are looked after."""

    doors: Literal["follow", "open"] = "follow"
    """follow lets newcomers in at the pace of the room that the relays have; open lets everybody in at once."""
    relay_share: float = 1.0
    """Share of its budget that a relay may be given, as the directory has it."""
    most_waiting: int = 10_000
    """How many may wait before the doors."""
    place_hours: float = 24.0
    """How long a place before the doors is kept for somebody who does not look."""

    fact_days: int = 30
    """Days after which facts leave the outbox; 0 keeps them all."""
    closed_invitation_days: int = 365
    """Days that an invitation nobody redeemed is kept after its time; 0 for ever."""
    audit_days: int = 730
    """Days that the audit keeps an act; 0 for ever."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"public_url {self.public_url!r} must be http(s)://host[:port]")
        if not self.auth_address:
            raise ValueError("auth_address must be set")
        wrong = next((rule for holds, rule in self._rules() if not holds), None)
        if wrong is not None:
            raise ValueError(wrong)

    def _rules(self) -> Iterator[tuple[bool, str]]:
        """What has to hold, each with its own sentence: who runs Majlis reads which setting is wrong, and no other."""
        yield self.quota >= 0, f"quota must not be negative; it is {self.quota}"
        yield self.expiry_days >= 1, f"expiry_days must be at least 1; it is {self.expiry_days}"
        yield self.claim_seconds > 0, f"claim_seconds must be positive; it is {self.claim_seconds}"
        yield self.sweep_seconds > 0, f"sweep_seconds must be positive; it is {self.sweep_seconds}"
        yield 0 < self.relay_share <= 1, f"relay_share must be above 0 and at most 1; it is {self.relay_share}"
        yield self.most_waiting >= 1, f"most_waiting must be at least 1; it is {self.most_waiting}"
        hours = f"place_hours must be above 0 and at most {MOST_PLACE_HOURS}; it is {self.place_hours}"
        yield 0 < self.place_hours <= MOST_PLACE_HOURS, hours
        for name in ("fact_days", "closed_invitation_days", "audit_days"):
            yield getattr(self, name) >= 0, f"{name} must not be negative; it is {getattr(self, name)}"
