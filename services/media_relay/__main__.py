"""Builds the relay's parts, starts them, lets sessions move away when told to stop, and stops."""

import os

from services.common.process import Stop, run_service, write_ready_file
from services.common.settings import load
from services.common.sight.log import configure
from services.common.sight.metrics import Metrics
from services.common.sight.trace_start import start_tracing
from services.media_relay.build import RelayService
from services.media_relay.settings import PREFIX, Settings


async def main(stop: Stop) -> None:
    """Runs the relay until `stop`."""
    settings = load(Settings, PREFIX, os.environ)
    configure("media_relay", settings.log_format, settings.log_level)
    metrics = Metrics("media_relay")
    start_tracing("media_relay", settings, metrics)
    service = await RelayService.open(settings, metrics)
    try:
        await service.start()
        metrics_port = await metrics.serve(settings.metrics_listen)
        ports = {"grpc": service.server.port, "metrics": metrics_port, "media": service.addresses.udp[0][1]}
        write_ready_file(settings.ready_file, ports)
        await stop.wait()
        await service.drain()
    finally:
        await service.close()
        await metrics.stop()


if __name__ == "__main__":
    run_service(main)
