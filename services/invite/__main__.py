"""Builds invite, serves until told to stop, drains."""

import os
from functools import partial
from pathlib import Path

from majlis.invite.v1 import (
    door_service_pb2,
    door_service_pb2_grpc,
    invite_service_pb2,
    invite_service_pb2_grpc,
)

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
from services.invite.build import build, hear_relays
from services.invite.settings import Settings

DOORS_SECONDS = 2.0
MIGRATIONS = Path(__file__).parent / "migrations"


async def main(stop: Stop) -> None:
    """One run of the service."""
    settings = load(Settings, "invite", os.environ)
    log.configure("invite", settings.log_format, settings.log_level)
    clock, metrics = SystemClock(), Metrics("invite")
    start_tracing("invite", settings, metrics)
    database_there = partial(migrate_own, settings.database_url, MIGRATIONS, settings.database_schema)
    await stop.until_there("the database", database_there)
    database = Database(settings.database_url, settings.database_schema)
    database.show(metrics)
    parts = build(settings, database, metrics, clock)
    server = RpcServer("invite", settings, metrics, verifier=parts.verifier)
    service = invite_service_pb2.DESCRIPTOR.services_by_name["InviteService"]
    server.add(parts.servicer, invite_service_pb2_grpc.add_InviteServiceServicer_to_server, service)
    door_service = door_service_pb2.DESCRIPTOR.services_by_name["DoorService"]
    server.add(parts.door_servicer, door_service_pb2_grpc.add_DoorServiceServicer_to_server, door_service)
    async with Background() as background:
        await hear_relays(parts, settings, background, clock)
        background.spawn("auth facts", parts.auth_facts.run, restart=True)
        background.spawn("outbox", parts.publisher.run, restart=True)
        background.every("audit seal", SEAL_EVERY_SECONDS, parts.store.seal_audit)
        background.every("claims", settings.sweep_seconds, parts.app.redemptions.settle_stale_claims)
        background.every("expiry", settings.sweep_seconds, parts.app.invitations.expire)
        background.every("doors", DOORS_SECONDS, parts.doors.round)
        background.every("letters", DOORS_SECONDS, parts.letters.round)
        background.every("line", settings.sweep_seconds, parts.doors.sweep)
        parts.retention.start(background)
        ports = {"metrics": await metrics.serve(settings.metrics_listen)}
        await server.start()
        write_ready_file(settings.ready_file, {"grpc": server.port, **ports})
        await parts.bus.connect()
        await stop.wait()
        await server.drain()
        await parts.bus.close()
    await parts.channel.close()
    await metrics.stop()
    await database.close()


if __name__ == "__main__":
    run_service(main)
