"""What invite can be told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from services.common.forms import ADDRESS, DATABASE_URL, ORIGIN
from services.common.settings import LONGEST_DAYS, LONGEST_SECONDS, ServiceSettings, Within

MOST_PLACE_HOURS = 8760


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    auth_address: Annotated[str, ADDRESS] = field()
    """gRPC address of auth, host:port."""
    public_url: Annotated[str, ORIGIN]
    """Address people open, scheme and host and port: links begin with it."""
    database_url: Annotated[str, DATABASE_URL] = "sqlite+aiosqlite:///var/invite/invite.db"
    """Database of invitations: sqlite+aiosqlite:///file or postgresql://..."""
    database_schema: str = "invite"
    """Schema of the tables on PostgreSQL."""
    code_secret_file: Path
    """File with the secret of link codes; made at the first start. Without it links cannot be shown again."""
    quota: Annotated[int, Within(0)] = 2
    """How many invitations a member is given."""
    expiry_days: Annotated[int, Within(1, LONGEST_DAYS)] = 30
    """Days an invitation can be redeemed."""
    claim_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 900.0
    """How long a redemption that was left unfinished holds its invitation, and may be repeated."""
    sweep_seconds: Annotated[float, Within(0.1, LONGEST_SECONDS)] = 30.0
    """How often unfinished redemptions and expired invitations are looked after."""

    doors: Literal["follow", "open"] = "follow"
    """follow lets newcomers in at the pace of the room that the relays have; open lets everybody in at once."""
    relay_share: Annotated[float, Within(0.01, 1)] = 1.0
    """Share of its budget that a relay may be given, as the directory has it."""
    most_waiting: Annotated[int, Within(1)] = 10_000
    """How many may wait before the doors."""
    place_hours: Annotated[float, Within(0.1, MOST_PLACE_HOURS)] = 24.0
    """How long a place before the doors is kept for somebody who does not look."""

    fact_days: Annotated[int, Within(0, LONGEST_DAYS)] = 30
    """Days after which facts leave the outbox; 0 keeps them all."""
    closed_invitation_days: Annotated[int, Within(0, LONGEST_DAYS)] = 365
    """Days that an invitation nobody redeemed is kept after its time; 0 for ever."""
    audit_days: Annotated[int, Within(0, LONGEST_DAYS)] = 730
    """Days that the audit keeps an act; 0 for ever."""
