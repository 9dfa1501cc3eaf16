"""Deletes invitations that came to nothing, long after their time."""

from datetime import datetime

from sqlalchemy import and_

from services.common.store.database import Database
from services.common.store.retention import delete_rows
from services.invite.domain.invitation import State
from services.invite.storage.tables import invitations


async def delete_closed_invitations(database: Database, before: datetime) -> int:
    """Deletes those taken back or expired whose time ended before a moment; spent ones are the tree's."""
    closed = invitations.c.state.in_([State.REVOKED.value, State.EXPIRED.value])
    return await delete_rows(database, invitations.c.invitation_id, and_(closed, invitations.c.expires_at < before))
