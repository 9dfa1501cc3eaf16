"""Where who waits before the doors is written to when it is their turn, and how often a code did."""

import sqlalchemy as sa
from alembic import op

from services.common.store.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("places", sa.Column("looked_at", UtcDateTime(), nullable=True))
    op.add_column("places", sa.Column("letter_to", sa.String(length=254), server_default="", nullable=False))
    op.add_column("places", sa.Column("letter_locale", sa.String(length=8), server_default="", nullable=False))
    op.add_column("places", sa.Column("letter_at", UtcDateTime(), nullable=True))
    op.add_column("invitations", sa.Column("turn_letters", sa.Integer(), server_default="0", nullable=False))
