"""What deleting old rows needs: when rooms ended, where the audit begins."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("audit_head", sa.Column("start_position", sa.BigInteger(), nullable=True))
    op.add_column("audit_head", sa.Column("start_hash", sa.String(length=64), nullable=True))
    op.create_index("ix_rooms_ended", "rooms", ["ended_at"], unique=False)
    op.create_index("ix_rooms_creator", "rooms", ["creator_id"], unique=False)
