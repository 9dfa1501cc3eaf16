"""Runs a release of the whole system part by part, so that a test can put another release in the place of each part."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.processes import free_port
from tests.support.stack import ROOT, free_port_triple
from tools.lint_protos import baseline

NOTHING_RELEASED = "nothing has been released yet: python -m tools.lint_protos freeze, with the version that is"

# Asks a release for its own plan of processes, with ports that another release had before.
_PLAN = """
import json, sys
from ops.run import plan
from ops.run.options import parse
ports = iter(json.loads(sys.argv[1]))
plan.free_port = lambda: next(ports)
plan.check_port = plan.check_ports = lambda *_: None
parts = plan.plan(parse(sys.argv[2:]))
print(json.dumps([[part.name, part.command, part.env, part.ready_url] for part in parts]))
"""
_PORTS = 24
_SECONDS = 60.0


def unpack(commit: str, folder: Path) -> str:
    """Puts the files of an earlier commit into a folder and generates its contracts; returns why it could not."""
    known = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{tree}}"], cwd=ROOT, capture_output=True, check=False)
    if known.returncode != 0:
        return f"this checkout has no history back to {commit[:12]} (a shallow clone?): git fetch --unshallow"
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    subprocess.run([sys.executable, "tools/generate.py"], cwd=folder, check=True, capture_output=True)
    return ""


def released() -> tuple[str, str]:
    """The version that contracts are compared with, and the commit that made it: where its image was last written.

    Empty words before the first release, and an empty commit while its image is not committed.
    """
    image = baseline()
    if image is None:
        return "", ""
    log = ["git", "log", "-1", "--format=%H", "--", str(image.relative_to(ROOT))]
    done = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=False)
    return image.stem, done.stdout.strip()


def earlier_release(folder: Path) -> Path:
    """The files of the release before; without one, or its history, the test is skipped with the reason.

    In CI a release whose files are not there is a failure.
    """
    version, commit = released()
    if not version:
        pytest.skip(NOTHING_RELEASED)
    if why := unpack(commit, folder) if commit else f"the history has no commit with the contracts of {version}":
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    named = (folder / "services" / "common" / "version.py").read_text()
    assert f'"{version}"' in named, f"the commit with the contracts of {version} calls itself otherwise: {named}"
    if "set_sources" in (folder / "services" / "media_relay" / "core.py").read_text():
        shutil.copy(Path(__file__).with_name("core_before_booths.py"), folder / "packetcore.py")
    return folder


def environment(root: Path) -> dict[str, str]:
    """Python of one release finds that release's packages first."""
    places = (root, root / "gen" / "python", root / "sdk" / "python")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(place) for place in places), "PYTHONUNBUFFERED": "1"}


@dataclass
class Part:
    """One process of a release."""

    root: Path
    name: str
    command: list[str]
    env: dict[str, str]
    ready_url: str

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        with log.open("ab") as out:
            return subprocess.Popen(
                self.command, cwd=self.root, env={**environment(self.root), **self.env}, stdout=out, stderr=out
            )


@dataclass
class Hall:
    """A running system whose parts may be of different releases; its ports and its state stay the same."""

    state: Path
    port: int = field(default_factory=free_port_triple)
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(_PORTS)])
    running: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def owner_link(self) -> str:
        return (self.state / "owner-link").read_text().strip()

    def plan(self, root: Path) -> list[Part]:
        """The processes of a release, in the order of their start."""
        arguments = [json.dumps(self.ports), "--port", str(self.port), "--state", str(self.state)]
        asked = [sys.executable, "-c", _PLAN, *arguments]
        done = subprocess.run(asked, cwd=root, env=environment(root), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [Part(root, *part) for part in json.loads(done.stdout)]

    async def start(self, root: Path) -> None:
        """Starts every part of a release."""
        bus, *services = self.plan(root)
        for parts in ([bus], services):
            for part in parts:
                self.running[part.name] = part.start(self._log(part.name))
            await asyncio.gather(*(self._until_ready(part) for part in parts))

    async def replace(self, part: Part) -> float:
        """Stops a part as a supervisor does and starts another release's; returns the seconds that took."""
        began = time.monotonic()
        await self._stop(part.name)
        self.running[part.name] = part.start(self._log(part.name))
        await self._until_ready(part)
        return time.monotonic() - began

    async def stop(self) -> None:
        """Stops everything, the bus last."""
        for name in reversed(list(self.running)):
            await self._stop(name)

    def log_of(self, name: str) -> str:
        """The end of what a part wrote."""
        return self._log(name).read_text(errors="replace")[-3000:]

    def _log(self, name: str) -> Path:
        self.state.mkdir(parents=True, exist_ok=True)
        return self.state / f"{name}.log"

    async def _stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{name} did not stop:\n{self.log_of(name)}") from None

    async def _until_ready(self, part: Part) -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            assert self.running[part.name].poll() is None, f"{part.name} ended:\n{self.log_of(part.name)}"
            page = f"{self.url}/.well-known/majlis.json" if part.name == "gateway" else part.ready_url
            if await _answers(part.ready_url) and await _answers(page):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{part.name} is not ready:\n{self.log_of(part.name)}")


async def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), await asyncio.to_thread(urllib.request.urlopen, url, None, 2) as answer:
        return bool(answer.status == 200)
    return False
