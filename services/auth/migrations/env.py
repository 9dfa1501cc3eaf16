"""Alembic's entry: migrates the tables of auth on the connection that the service opened."""

from services.auth.storage.tables import metadata
from services.common.store.migrations import run_env

run_env(metadata)
