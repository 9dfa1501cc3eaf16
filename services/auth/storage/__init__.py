"""Everything auth keeps, in SQLite or PostgreSQL."""

from services.auth.storage.store import SqlStore

__all__ = ["SqlStore"]
