"""What invite can be told."""

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
        if self.quota < 0 or self.expiry_days < 1 or self.claim_seconds <= 0 or self.sweep_seconds <= 0:
            raise ValueError("quota must not be negative; expiry_days, claim_seconds, sweep_seconds must be positive")
        if not 0 < self.relay_share <= 1 or self.most_waiting < 1 or not 0 < self.place_hours <= MOST_PLACE_HOURS:
            raise ValueError(
                "relay_share must be above 0 and at most 1, most_waiting at least 1, "
                f"place_hours above 0 and at most {MOST_PLACE_HOURS}"
            )
        if min(self.fact_days, self.closed_invitation_days, self.audit_days) < 0:
            raise ValueError("fact_days, closed_invitation_days and audit_days must not be negative")
