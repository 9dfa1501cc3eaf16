"""What deleting old rows needs: what a fact is about, where the audit begins."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("outbox", sa.Column("entity", sa.String(length=64), nullable=True))
    op.create_index("ix_outbox_at", "outbox", ["at"], unique=False)
    op.create_index("ix_outbox_entity", "outbox", ["entity", "number"], unique=False)
    op.add_column("audit_head", sa.Column("start_position", sa.BigInteger(), nullable=True))
    op.add_column("audit_head", sa.Column("start_hash", sa.String(length=64), nullable=True))
