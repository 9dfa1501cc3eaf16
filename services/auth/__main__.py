"""Builds auth, serves until told to stop, drains."""

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

from services.auth import bus as facts
from services.auth.build import build, serve
from services.auth.settings import Settings
from services.common.clock import SystemClock
from services.common.process import Stop, run_service, write_ready_file
from services.common.rpc.server import RpcServer
from services.common.settings import load
from services.common.sight import log
from services.common.sight.metrics import Metrics
from services.common.sight.trace_start import start_tracing
from services.common.store.audit import SEAL_EVERY_SECONDS
from services.common.store.database import Database
from services.common.store.migrations import migrate_own
from services.common.tasks import Background
from services.common.trust.revocations import LONGEST_ACCESS_LIFE

MIGRATIONS = Path(__file__).parent / "migrations"
ROTATION_CHECK_SECONDS = 600.0
SWEEP_SECONDS = 300.0
EXPIRY_SECONDS = 30.0
UNSAVED_SECONDS = 1.0
OWNER_LINK_SECONDS = 5.0
"""How long the file of a used link may stay; the link itself works once."""


async def main(stop: Stop) -> None:
    """One run of the service."""
    settings = load(Settings, "auth", os.environ)
    log.configure("auth", settings.log_format, settings.log_level)
    clock, metrics = SystemClock(), Metrics("auth")
    start_tracing("auth", settings, metrics)
    database_there = partial(migrate_own, settings.database_url, MIGRATIONS, settings.database_schema)
    await stop.until_there("the database", database_there)
    database = Database(settings.database_url, settings.database_schema)
    database.show(metrics)
    parts = await build(settings, database, metrics, clock)
    await parts.owner_link.refresh()
    recent = await parts.store.facts_since(clock.now() - 2 * LONGEST_ACCESS_LIFE)
    facts.revoke_from_facts(parts.verifier.revocations, [fact.event for fact in recent])

    server = RpcServer("auth", settings, metrics, verifier=parts.verifier)
    serve(parts, server)
    refresh_life = timedelta(days=settings.refresh_token_days)
    async with Background() as background:
        background.spawn("mail", parts.mailer.run, restart=True)
        background.spawn("outbox", parts.publisher.run, restart=True)
        background.every("audit seal", SEAL_EVERY_SECONDS, parts.store.seal_audit)
        background.every("unsaved", UNSAVED_SECONDS, lambda: facts.write_or_tell(parts.app.unsaved, parts.bus))
        background.every("owner link", OWNER_LINK_SECONDS, parts.owner_link.remove_when_used)
        background.every("key rotation", ROTATION_CHECK_SECONDS, parts.keys.rotate_if_due)
        background.every("sweep", SWEEP_SECONDS, lambda: parts.store.sweep(clock.now(), refresh_life))
        background.every("expiry", EXPIRY_SECONDS, lambda: parts.store.end_expired(clock.now()))
        parts.retention.start(background)
        ports = {"metrics": await metrics.serve(settings.metrics_listen)}
        await server.start()
        write_ready_file(settings.ready_file, {"grpc": server.port, **ports})
        await parts.bus.connect()
        await stop.wait()
        await server.drain()
        await parts.bus.close()
    await metrics.stop()
    await database.close()


if __name__ == "__main__":
    run_service(main)
