"""Runs the whole system as `make run` does, on free ports and a state folder of its own, for tests and benchmarks."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


def free_port_triple() -> int:
    """A port whose two successors are free too (HTTP, gRPC, UDP)."""
    return free_port(socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)


@dataclass
class Stack:
    """One running system."""

    state: Path
    arguments: list[str] = field(default_factory=list)
    media_address: str = "127.0.0.1"
    """Where clients find its sound; empty leaves it to the system, as for people: their loopback and this machine's."""
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port_triple)
    process: subprocess.Popen[bytes] | None = None
    owner_refresh_token: str = ""
    """How tests come back as the owner once the one-time link is used up."""

    @property
    def url(self) -> str:
        return str(self._record()["url"])

    @property
    def grpc_address(self) -> str:
        return f"localhost:{self.port + 1}"

    @property
    def output(self) -> str:
        return (self.state / "output.log").read_text(errors="replace")

    @property
    def owner_link(self) -> str:
        return (self.state / "owner-link").read_text().strip()

    def _record(self) -> dict[str, object]:
        loaded: dict[str, object] = json.loads((self.state / "run.json").read_text())
        return loaded

    def part(self, name: str) -> dict[str, object]:
        parts = self._record()["parts"]
        assert isinstance(parts, dict)
        found = parts[name]
        assert isinstance(found, dict)
        return found

    def pid(self, name: str) -> int:
        return int(str(self.part(name)["pid"]))

    def metrics(self, name: str, accept: str = "text/plain") -> str:
        url = str(self.part(name)["ready_url"]).replace("/readyz", "/metrics")
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    async def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "ops.run",
            "--port",
            str(self.port),
            "--state",
            str(self.state),
            *(["--media-address", self.media_address] if self.media_address else []),
            *self.arguments,
        ]
        with (self.state / "output.log").open("ab") as out:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; waiting is done in a thread
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **self.env}
            )
        deadline = time.monotonic() + START_SECONDS
        while "Majlis is open at" not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the system did not start:\n{self.output[-4000:]}")
            await asyncio.sleep(0.1)

    async def until_ready(self, name: str, seconds: float = 10.0) -> float:
        """Waits for a part to serve; returns the seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            with contextlib.suppress(OSError):
                url = str(self.part(name)["ready_url"])
                answer = await asyncio.to_thread(urllib.request.urlopen, url, None, 2)
                with answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} was not ready within {seconds} s:\n{self.output[-3000:]}")

    async def kill(self, name: str) -> int:
        """Ends a part as a crash would (SIGKILL); returns the process id it had. The supervisor starts it again."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        for _ in range(200):
            with contextlib.suppress(KeyError, ValueError, AssertionError):
                if self.pid(name) != pid:
                    return pid
            await asyncio.sleep(0.02)
        raise AssertionError(f"{name} was not started again")

    async def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGINT)
        try:
            return await asyncio.to_thread(self.process.wait, 30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
