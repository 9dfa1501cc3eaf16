"""What the hand queue carries: its own count of changes, and the language of each hand."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("rooms", sa.Column("queue_revision", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("hands", sa.Column("language", sa.String(length=8), nullable=False, server_default=""))
