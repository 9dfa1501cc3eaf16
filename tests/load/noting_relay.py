"""A relay as any other, which at its end writes down how long its playout buffers held each of the last frames."""

import asyncio
import json
import os
from pathlib import Path

from services.common.process import Stop, run_service
from services.common.settings import load
from services.common.sight.log import configure
from services.common.sight.metrics import Metrics
from services.media_relay.build import RelayService
from services.media_relay.settings import PREFIX, Settings

HOLDS_FILE = "NOTING_RELAY_HOLDS_FILE"
"""The variable that names where they go: a list of [capture time as NTP 32.32, µs held], oldest first."""


async def main(stop: Stop) -> None:
    """Runs until `stop`; asked for once, at the end, so that noting costs the frames on their way nothing."""
    settings = load(Settings, PREFIX, os.environ)
    configure("media_relay", settings.log_format, settings.log_level)
    service = await RelayService.open(settings, Metrics("media_relay"))
    try:
        await service.start()
        await stop.wait()
        holds = json.dumps(service.core.playout_holds())
        await asyncio.to_thread(Path(os.environ[HOLDS_FILE]).write_text, holds)
    finally:
        await service.close()


if __name__ == "__main__":
    run_service(main)
