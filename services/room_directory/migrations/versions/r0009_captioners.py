"""Who may write captions in a room; what they write is in no table."""

import sqlalchemy as sa
from alembic import op

from services.common.store.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.create_table(
        "captioners",
        sa.Column("room_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("languages", sa.String(length=160), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id"),
    )
