"""Alembic revisions of the tables of auth."""
