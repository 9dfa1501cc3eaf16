"""Since when who is heard from a booth has been."""

import sqlalchemy as sa
from alembic import op

from services.common.store.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("stage_seats", sa.Column("heard_since", UtcDateTime(), nullable=True))
