"""Keeps one part running: starts it, passes its lines on under its name, restarts it with back-off, stops it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from io import FileIO

from ops.run.lines import Lines
from ops.run.options import ROOT
from ops.run.plan import Part

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0
SETTINGS_EXIT = 2
"""Exit code of a service that cannot work with its settings or its port. Before it ever served, starting it again
would not help; later something else changed, such as a certificate, which may be put right while it waits."""
PR_SET_PDEATHSIG = 1
CHUNK_BYTES = 1 << 16
LONGEST_LINE_BYTES = 1 << 20
LAST_WORDS_SECONDS = 2.0
GRPC_EXPERIMENTS = "-event_engine_client,-event_engine_listener"
"""How gRPC's core waits for its sockets: with its newer engine each message passes one more thread on its way, which
makes a call a fifth dearer at both ends. The image sets the same; whoever starts the parts may set it otherwise."""
NOT_STARTED = -1000
"""In place of an exit code when the system could not start the process at all."""


def child_setup() -> None:
    """In the child: a session of its own, so that Ctrl-C reaches the supervisor alone; death when that one dies."""
    os.setsid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code == NOT_STARTED:
        return "could not be started"
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    if code == SETTINGS_EXIT:
        return "cannot go on, the line above says why: put it right, it is tried again"
    return f"ended with code {code}"


class Process:
    """One part and the process that is it just now."""

    def __init__(self, part: Part, lines: Lines, on_start: Callable[[], None]) -> None:
        self.part = part
        self._on_start = on_start
        self._lines = lines
        self.restarts = 0
        self.gave_up = False
        self.has_served = False
        """Set once it was ready."""
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Starts the part again whenever it dies, until stopped."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            try:
                code = await self._run_once()
            except Exception as error:  # noqa: BLE001 - whatever the system lacks just now, the next try may find
                self.say(f"{self.part.name}: {type(error).__name__}: {error}")
                code = NOT_STARTED
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
        env = {"GRPC_EXPERIMENTS": GRPC_EXPERIMENTS, **os.environ, **self.part.env, "PYTHONUNBUFFERED": "1"}
        ours, theirs = os.pipe()
        source = os.fdopen(ours, "rb", buffering=0)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.part.command,
                cwd=ROOT,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                preexec_fn=child_setup,
            )
        except BaseException:
            source.close()
            raise
        finally:
            os.close(theirs)
        passing = asyncio.create_task(self._pass_on(source))
        try:
            self._on_start()
            code = await self._process.wait()
            # Its last words. A child of its own may hold the pipe open: nobody waits for that one.
            await asyncio.wait({passing}, timeout=LAST_WORDS_SECONDS)
            return code
        finally:
            passing.cancel()

    async def _pass_on(self, source: FileIO) -> None:
        """Reads what it says for as long as it says anything: one that is not read stands still."""
        stream = asyncio.StreamReader(limit=CHUNK_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), source
        )
        rest = b""
        try:
            while chunk := await stream.read(CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._lines.put(line + b"\n")
                if len(rest) > LONGEST_LINE_BYTES:
                    self._lines.put(rest + b"\n")
                    rest = b""
            if rest:
                self._lines.put(rest + b"\n")
        finally:
            transport.close()

    def say(self, message: str) -> None:
        """A line of the supervisor about this part."""
        self._lines.say(message)

    async def stop(self, grace_seconds: float) -> None:
        """Ends it for good: SIGTERM, then SIGKILL after the grace."""
        self._stopping = True
        await self.end(grace_seconds)

    async def end(self, grace_seconds: float) -> None:
        """Ends the process that is it just now: SIGTERM, then SIGKILL after the grace."""
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
