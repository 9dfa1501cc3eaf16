"""Further relays beside that of `make run`: each may be killed, frozen or emptied, and is started again."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from ops.run.plan import free_port
from tests.load.machine import environment
from tests.support.stack import ROOT, Stack

SPARE_ID = "relay00001"
START_SECONDS = 20.0
KNOWN_SECONDS = 2.0
"""The others have heard of it by its second heartbeat."""


class SpareRelay:
    """Its process, whichever it is just now."""

    def __init__(self, stack: Stack, folder: Path, relay_id: str = SPARE_ID) -> None:
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
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

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
                    raise RuntimeError(f"the spare relay ended:\n{self._log.read_text()[-2000:]}")
                await asyncio.sleep(0.05)
        await asyncio.sleep(KNOWN_SECONDS)

    async def stop(self) -> None:
        """Whatever state it is in."""
        if self._process is not None and self._process.returncode is None:
            os.kill(self.pid, signal.SIGCONT)
            self._process.kill()
            await self._process.wait()
