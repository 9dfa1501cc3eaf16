"""Booths, who sits in them, and offers of their seats."""

import sqlalchemy as sa
from alembic import op

from services.common.store.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.create_table(
        "booths",
        sa.Column("room_id", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("rule", sa.String(length=16), nullable=False),
        sa.Column("floor_after_seconds", sa.Integer(), nullable=False),
        sa.Column("floor_level_db", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "language"),
    )
    op.add_column("stage_seats", sa.Column("booth", sa.String(length=8), nullable=False, server_default=""))
    op.add_column("stage_seats", sa.Column("booth_since", UtcDateTime(), nullable=True))
    op.add_column("stage_seats", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("stage_seats", sa.Column("hears", sa.String(length=8), nullable=False, server_default=""))
    op.add_column("offers", sa.Column("language", sa.String(length=8), nullable=False, server_default=""))
