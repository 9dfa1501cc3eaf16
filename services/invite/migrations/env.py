"""Alembic's entry: migrates the tables of invite on the connection that the service opened."""

from services.common.store.migrations import run_env
from services.invite.storage.tables import metadata

run_env(metadata)
