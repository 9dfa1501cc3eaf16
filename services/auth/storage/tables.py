"""The tables of auth."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from services.common.facts.outbox import Outbox
from services.common.store.audit import AuditLog
from services.common.store.database import UtcDateTime

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", String(32), primary_key=True),
    # Empty in a tombstone: NULL, so that many may be.
    Column("handle", String(24), nullable=True, unique=True),
    Column("email", String(254), nullable=True, unique=True),
    Column("display_name", String(400), nullable=False),
    Column("bio", Text, nullable=False),
    Column("avatar_hue", Integer, nullable=False),
    Column("locale", String(8), nullable=False),
    Column("spoken_languages", JSON, nullable=False),
    Column("operator", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("inviter_id", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("tokens_not_before", UtcDateTime, nullable=True),
    Column("revision", BigInteger, nullable=False),
    Index("ix_accounts_created", "created_at", "user_id"),
)

redemptions = Table(
    "redemptions",
    metadata,
    Column("redemption_id", String(32), primary_key=True),
    Column("user_id", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

owner_link = Table(
    "owner_link",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("token_hash", String(64), nullable=False),
    Column("used_at", UtcDateTime, nullable=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("passkey_id", String(32), primary_key=True),
    Column("user_id", String(32), ForeignKey("accounts.user_id"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("label", String(240), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=True),
)

challenges = Table(
    "challenges",
    metadata,
    Column("challenge_id", String(32), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("user_id", String(32), nullable=False),
    Column("email", String(254), nullable=False),
    Column("tries_left", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime, nullable=True),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("sign_in_id", String(32), primary_key=True),
    Column("user_id", String(32), ForeignKey("accounts.user_id"), nullable=False, index=True),
    Column("device", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("ended_at", UtcDateTime, nullable=True, index=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("sign_in_id", String(32), ForeignKey("sign_ins.sign_in_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime, nullable=True, index=True),
)

personal_tokens = Table(
    "personal_tokens",
    metadata,
    Column("token_id", String(32), primary_key=True),
    Column("user_id", String(32), ForeignKey("accounts.user_id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("label", String(240), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=True),
    Column("revoked_at", UtcDateTime, nullable=True),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

outbox = Outbox(metadata)
audit = AuditLog(metadata)
