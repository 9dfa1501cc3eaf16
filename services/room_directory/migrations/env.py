"""Runs the scripts beside this file on the connection that the service opened."""

from services.common.store.migrations import run_env
from services.room_directory.storage.tables import metadata

run_env(metadata)
