"""Alembic revisions of the tables of invite."""
