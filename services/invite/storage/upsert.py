"""The insert statement that knows what to do when the row is there already."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


def insert_into(session: AsyncSession, table: Table) -> Any:
    """An INSERT of the session's kind of database; both kinds offer the same on_conflict methods."""
    return (sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert)(table)
