"""A relay in a process of its own whose main loop a test can make stand still by a signal."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.common.process import Stop, run_service
from services.common.settings import load
from services.common.sight.metrics import Metrics
from services.media_relay.build import RelayService
from services.media_relay.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
STALL_SECONDS = 0.1
BUSY, HELD = signal.SIGUSR1, signal.SIGUSR2
"""The loop works on in Python, as a burst of joins makes it; one call in C keeps the interpreter from every thread."""
_SAID_FILE = "STALLING_RELAY_FILE"
_PROBE = 1_000_000


@dataclass(frozen=True)
class Said:
    """What the process tells of itself: enough for permits, calls and signals."""

    pid: int
    relay_id: str
    boot_id: str
    grpc: int
    metrics: int


def _busy() -> None:
    until = time.monotonic() + STALL_SECONDS
    while time.monotonic() < until:
        pass


def _held() -> None:
    # Adding up a range enters no Python code: the interpreter's lock is kept to the end.
    began = time.monotonic()
    sum(range(_PROBE))
    pace = _PROBE / (time.monotonic() - began)
    sum(range(int(pace * STALL_SECONDS)))


async def main(stop: Stop) -> None:
    settings = load(Settings, PREFIX, os.environ)
    metrics = Metrics("media_relay")
    service = await RelayService.open(settings, metrics)
    try:
        await service.start()
        port = await metrics.serve(settings.metrics_listen)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(BUSY, _busy)
        loop.add_signal_handler(HELD, _held)
        relay = service.relay
        said = Said(os.getpid(), relay.relay_id, relay.boot_id, service.server.port, port)
        path = Path(os.environ[_SAID_FILE])
        path.with_suffix(".new").write_text(json.dumps(said.__dict__))
        path.with_suffix(".new").rename(path)
        await stop.wait()
    finally:
        await service.close()
        await metrics.stop()


@asynccontextmanager
async def relay_process(folder: Path, relay_id: str, settings: dict[str, str]) -> AsyncIterator[Said]:
    """Starts one and waits until it serves; ends it with the block. `settings` are those of the relay, by name."""
    path = folder / f"{relay_id}.json"
    given = {**settings, "RELAY_ID": relay_id, "METRICS_LISTEN": "127.0.0.1:0", "LOG_LEVEL": "warning"}
    env = {**os.environ, **{f"MEDIA_RELAY_{name}": value for name, value in given.items()}, _SAID_FILE: str(path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.stalling_relay", cwd=ROOT, env=env
    )
    try:
        for _ in range(600):
            if path.exists():
                break
            assert process.returncode is None, "the relay ended at once"
            await asyncio.sleep(0.05)
        yield Said(**json.loads(path.read_text()))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    run_service(main)
