"""The tables of invite."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from services.common.facts.outbox import FactCursors, Outbox
from services.common.store.audit import AuditLog
from services.common.store.database import UtcDateTime

metadata = MetaData()

quotas = Table(
    "quotas",
    metadata,
    Column("user_id", String(32), primary_key=True),
    Column("granted", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    CheckConstraint("used >= 0 AND used <= granted", name="ck_quotas_used"),
)

grants = Table(
    "grants",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("operator_id", String(32), nullable=False),
    Column("user_id", String(32), nullable=False),
    Column("count", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("invitation_id", String(32), primary_key=True),
    Column("inviter_id", String(32), nullable=False),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("request_id", String(32), nullable=False),
    Column("note", String(200), nullable=False),
    Column("room_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # NULL while nobody redeems it: then many may be.
    Column("redemption_id", String(32), nullable=True, unique=True),
    Column("claim_request_hash", String(64), nullable=False),
    Column("claimed_until", UtcDateTime, nullable=True),
    Column("guest_id", String(32), nullable=True, unique=True),
    Column("spent_at", UtcDateTime, nullable=True),
    Column("turn_letters", Integer, nullable=False, server_default="0"),
    UniqueConstraint("inviter_id", "request_id", name="uq_invitations_request"),
    Index("ix_invitations_inviter", "inviter_id", "created_at"),
    Index("ix_invitations_open", "state", "expires_at"),
)

people = Table(
    "people",
    metadata,
    Column("user_id", String(32), primary_key=True),
    Column("inviter_id", String(32), nullable=False, index=True),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("standing", String(16), nullable=False),
)

# One row: whoever lets a newcomer in, or gives a place, holds it. So copies count together.
doors = Table(
    "doors",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_number", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, server_default=""),
    Column("a_minute", Integer, nullable=False, server_default="0"),
    Column("reason", String(400), nullable=False, server_default=""),
    Column("operator_id", String(32), nullable=False, server_default=""),
    Column("since", UtcDateTime, nullable=True),
    Column("until", UtcDateTime, nullable=True),
)

places = Table(
    "places",
    metadata,
    Column("invitation_id", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("present_until", UtcDateTime, nullable=False),
    Column("kept_until", UtcDateTime, nullable=False, index=True),
    Column("looked_at", UtcDateTime, nullable=True),
    # The address goes with the letter, or with the row.
    Column("letter_to", String(254), nullable=False, server_default=""),
    Column("letter_locale", String(8), nullable=False, server_default=""),
    Column("letter_at", UtcDateTime, nullable=True),
    # Of the request that asked to come in last.
    Column("holder_hash", String(64), nullable=False, server_default=""),
)

entries = Table(
    "entries",
    metadata,
    Column("redemption_id", String(32), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
)

outbox = Outbox(metadata)
audit = AuditLog(metadata)
fact_cursors = FactCursors(metadata)
