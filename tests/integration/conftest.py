"""Fixtures of all integration tests: a real NATS server and real databases."""

from tests.support.nats_server import nats_server
from tests.support.postgres import database, postgres_server, postgres_url

__all__ = ["database", "nats_server", "postgres_server", "postgres_url"]
