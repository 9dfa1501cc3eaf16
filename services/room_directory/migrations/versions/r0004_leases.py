"""Which copy of the service owns which room: leases, the copies that run, and the newest owner's term."""

import sqlalchemy as sa
from alembic import op

from services.common.store.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("rooms", sa.Column("term", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_table(
        "room_leases",
        sa.Column("room_id", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room_id"),
    )
    op.create_index("ix_room_leases_owner", "room_leases", ["owner_id"], unique=False)
    op.create_table(
        "directory_copies",
        sa.Column("copy_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("rooms", sa.Integer(), nullable=False),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.Column("lapses_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("copy_id"),
    )
