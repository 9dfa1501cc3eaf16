"""Builds room_directory, serves until told to stop, drains."""

import os
from functools import partial
from pathlib import Path

from services.common.clock import SystemClock
from services.common.process import Stop, run_service, write_ready_file
from services.common.rpc.server import RpcServer
from services.common.settings import load
from services.common.sight import log
from services.common.sight.metrics import Metrics
from services.common.sight.trace_start import start_tracing
from services.common.store.database import Database
from services.common.store.migrations import migrate_own
from services.common.tasks import Background
from services.room_directory import build as parts_of
from services.room_directory.owning import own
from services.room_directory.settings import Settings

QUIET = frozenset({"ReportListeners"})
"""What each gateway tells every two seconds: it is in the log where it is refused."""
MIGRATIONS = Path(__file__).parent / "migrations"


async def main(stop: Stop) -> None:
    """One run of the service."""
    settings = load(Settings, "room_directory", os.environ)
    log.configure("room_directory", settings.log_format, settings.log_level)
    clock, metrics = SystemClock(), Metrics("room_directory")
    start_tracing("room_directory", settings, metrics)
    database_there = partial(migrate_own, settings.database_url, MIGRATIONS, settings.database_schema)
    await stop.until_there("the database", database_there)
    database = Database(settings.database_url, settings.database_schema)
    database.show(metrics)
    async with Background() as background:
        parts = await parts_of.build(settings, database, metrics, clock=clock, background=background)
        server = RpcServer(
            "room_directory", settings, metrics, verifier=parts.verifier, logged_fields=("room_id",), quiet=QUIET
        )
        parts_of.serve(parts, server)
        await parts_of.start(parts, background)
        metrics_port = await metrics.serve(settings.metrics_listen)
        await server.start()
        await own(parts.owning, parts.blocks, parts.ledger, background)
        write_ready_file(settings.ready_file, {"grpc": server.port, "metrics": metrics_port})
        await parts_of.listen(parts, background)
        await stop.wait()
        await parts.owning.leave()
        await parts.app.waiting.tell_places_left()
        await server.drain()
        # Rooms that were made here since: nobody renewed their leases.
        await parts.owning.leave()
        await parts_of.stop(parts)
    await metrics.stop()
    await database.close()


if __name__ == "__main__":
    run_service(main)
