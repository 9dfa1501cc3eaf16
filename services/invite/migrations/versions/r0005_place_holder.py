"""Whose redemption waits in a place before the doors."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("places", sa.Column("holder_hash", sa.String(length=64), server_default="", nullable=False))
