"""What people on stage speak, and rooms that rehearse."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("stage_seats", sa.Column("speaks", sa.String(length=8), nullable=False, server_default=""))
    op.add_column("rooms", sa.Column("rehearsal", sa.Boolean(), nullable=False, server_default=sa.false()))
