"""Starts the gateway, and ends it without cutting anybody off."""

import os
from contextlib import AsyncExitStack

from services.common.process import Stop, run_service, write_ready_file
from services.common.rpc.server import RpcServer
from services.common.settings import load
from services.common.sight import log
from services.common.sight.metrics import Metrics
from services.common.sight.trace_start import start_tracing
from services.gateway.build import Gateway
from services.gateway.settings import Settings


async def main(stop: Stop) -> None:
    """Builds the parts, serves until told to stop, drains."""
    settings = load(Settings, "gateway", os.environ)
    log.configure("gateway", settings.log_format, settings.log_level)
    await run(settings, stop)


async def run(settings: Settings, stop: Stop) -> None:
    """The gateway's whole life, for these settings."""
    metrics = Metrics("gateway")
    start_tracing("gateway", settings, metrics)
    gateway = Gateway(settings, metrics)
    health = RpcServer("gateway", settings, metrics)
    if gateway.certificate is not None:
        health.certificates.show("public", gateway.certificate)
    async with AsyncExitStack() as ending:
        metrics_port = await metrics.serve(settings.metrics_listen)
        ending.push_async_callback(metrics.stop)
        await health.start()
        # Not before the page and native gRPC are answered too.
        metrics.ready = False
        ending.push_async_callback(health.drain)
        ending.push_async_callback(gateway.close)
        await gateway.start()
        metrics.ready = True
        ports = {
            "http": gateway.http.port,
            "grpc": gateway.grpc_port,
            "health": health.port,
            "metrics": metrics_port,
        }
        write_ready_file(settings.ready_file, ports)
        await stop.wait()
        metrics.ready = False
        await gateway.drain()


if __name__ == "__main__":
    run_service(main)
