"""Keeps one part running: starts it, passes its lines on under its name, restarts it with back-off, stops it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tools.run.options import ROOT
from tools.run.plan import Part

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0
SETTINGS_EXIT = 2
"""Exit code of a service that cannot work with its settings or its port. Before it ever served, starting it again
would not help; later something else changed, such as a certificate, which may be put right while it waits."""
PR_SET_PDEATHSIG = 1
COLOURS = {"nats": 90, "auth": 33, "invite": 35, "room_directory": 36, "media_relay": 32, "gateway": 34}


def child_setup() -> None:
    """In the child: a session of its own, so that Ctrl-C reaches the supervisor alone; death when that one dies."""
    os.setsid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    if code == SETTINGS_EXIT:
        return "cannot go on, the line above says why: put it right, it is tried again"
    return f"ended with code {code}"


class Process:
    """One part and the process that is it just now."""

    def __init__(self, part: Part, logs: Path, width: int, on_start: Callable[[], None]) -> None:
        self.part = part
        self._on_start = on_start
        # The bus tells much at each start that no one at a terminal asked for; its log file has it all.
        self._quiet = b"[INF]" if part.name == "nats" else b"\0"
        self.restarts = 0
        self.gave_up = False
        self.has_served = False
        """Set once it was ready."""
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._log = (logs / f"{part.name}.log").open("ab", buffering=0)
        label = f"{part.name:<{width}} │ "
        self._label = f"\x1b[{COLOURS.get(part.name, 0)}m{label}\x1b[0m" if sys.stdout.isatty() else label

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Starts the part again whenever it dies, until stopped."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            if code == SETTINGS_EXIT and not self.has_served:
                self.gave_up = True
                self.say(f"{self.part.name} cannot start; the line above says why")
                return
            failures = 0 if time.monotonic() - started > STEADY_SECONDS else failures
            wait = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
            failures += 1
            self.restarts += 1
            self.say(f"{self.part.name} {how_it_ended(code)}; starting it again in {wait:g} s")
            await asyncio.sleep(wait)

    async def _run_once(self) -> int:
        env = {**os.environ, **self.part.env, "PYTHONUNBUFFERED": "1"}
        self._process = await asyncio.create_subprocess_exec(
            *self.part.command,
            cwd=ROOT,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=child_setup,
            limit=1 << 20,
        )
        self._on_start()
        stream = self._process.stdout
        if stream is None:  # PIPE was asked for
            raise RuntimeError("a child without output")
        async for line in stream:
            self._log.write(line)
            if self._quiet in line:
                continue
            sys.stdout.write(self._label + line.decode(errors="replace"))
            sys.stdout.flush()
        return await self._process.wait()

    def say(self, message: str) -> None:
        """A line of the supervisor about this part."""
        sys.stdout.write(f"{self._label}{message}\n")
        sys.stdout.flush()

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_seconds)
        except TimeoutError:
            self.say(f"{self.part.name} did not stop within {grace_seconds:g} s: killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
