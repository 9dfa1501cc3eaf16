"""Everything invite keeps, in SQLite or PostgreSQL."""

from services.invite.storage.store import SqlStore

__all__ = ["SqlStore"]
