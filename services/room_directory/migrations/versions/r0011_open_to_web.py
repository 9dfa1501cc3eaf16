"""Rooms that anybody may hear over the web."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the tables to this revision; the release before works on them as well."""
    op.add_column("rooms", sa.Column("open_to_web", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("rooms", sa.Column("web_listener_limit", sa.Integer(), nullable=False, server_default="0"))
