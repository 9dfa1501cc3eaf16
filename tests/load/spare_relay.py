"""Another relay beside that of `make run`: it may be killed, frozen or emptied, and is started again."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from ops.run.plan import free_port
from tests.load.crowd import value_of
from tests.load.machine import environment
from tests.support.stack import ROOT, Stack

SPARE_ID = "relay00001"
START_SECONDS = 20.0
KNOWN_SECONDS = 2.0
"""The others have heard of it by its second heartbeat."""


class SpareRelay:
    """Its process, whichever it is just now."""

    def __init__(self, stack: Stack, folder: Path, relay_id: str = SPARE_ID, **changes: str) -> None:
        self.relay_id = relay_id
        self._ready, self._log = folder / f"{relay_id}.json", folder / f"{relay_id}.log"
        own = environment(stack.pid("media_relay"))
        self._env = {
            **own,
            "MEDIA_RELAY_RELAY_ID": relay_id,
            "MEDIA_RELAY_BIND": "127.0.0.1:0",
            "MEDIA_RELAY_ADVERTISE": "127.0.0.1",
            "MEDIA_RELAY_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
            "MEDIA_RELAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "MEDIA_RELAY_READY_FILE": str(self._ready),
            **changes,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{json.loads(self._ready.read_text())['media']}"

    def promised(self) -> float:
        """Work promised to its sessions, of the threads that send, as its metrics say; in packets a second."""
        page = f"http://{self._env['MEDIA_RELAY_METRICS_LISTEN']}/metrics"
        return value_of(page, "majlis_media_relay_most_work_packets_per_second", 'threads="sending"')

    async def start(self) -> None:
        """Starts it, if it does not run, and waits until the others know it."""
        if self._process is not None and self._process.returncode is None:
            return
        self._ready.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.media_relay", cwd=ROOT, env=self._env, stdout=log, stderr=log
            )
        async with asyncio.timeout(START_SECONDS):
            while not self._ready.exists():
                if self._process.returncode is not None:
                    raise RuntimeError(f"the relay {self.relay_id} ended:\n{self._log.read_text()[-2000:]}")
                await asyncio.sleep(0.05)
        await asyncio.sleep(KNOWN_SECONDS)

    async def stop(self) -> None:
        """Whatever state it is in."""
        if self._process is not None and self._process.returncode is None:
            os.kill(self.pid, signal.SIGCONT)
            self._process.kill()
            await self._process.wait()
