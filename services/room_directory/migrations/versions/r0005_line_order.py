"""In which order those who wait before a full room come in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("rooms", sa.Column("line_order", sa.String(length=16), nullable=False, server_default="arrival"))
