"""A real Prometheus that scrapes a running system every second, with the rules of the deployment."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import free_port, stopping
from tests.support.stack import ROOT

RULES = ROOT / "deploy" / "prometheus"
START_SECONDS = 20.0
PARTS_SEEN = 'sum_over_time(up{job!~"backup|canary"}[1m]) >= 3'


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API."""

    url: str

    def ask(self, what: str, **parameters: str) -> Any:
        """The data of an answer. Raises AssertionError with what Prometheus says is wrong."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series an expression gives now."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def labels(self, metric: str) -> set[str]:
        """The labels of all series of a metric; empty when there is none."""
        series = self.ask("series", **{"match[]": metric})
        return {label for each in series for label in each}


@contextmanager
def scraping(folder: Path, state: Path) -> Iterator[Prometheus]:
    """Prometheus beside `make run`, as the guide sets it up, once it has scraped each part three times."""
    program = shutil.which("prometheus")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("prometheus is not here (Debian package prometheus): in CI this test must run")
        pytest.skip("prometheus is not here: install the Debian package prometheus")
    text = (RULES / "one-machine.yml").read_text()
    # The paths of the guide, and nobody waits 15 s for a test.
    text = text.replace("/opt/majlis/var/", f"{state}/").replace("/opt/majlis/", f"{ROOT}/").replace("15s", "1s")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(text)
    parts = len(json.loads((state / "prometheus" / "targets.json").read_text()))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "output.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    with stopping(process):
        server = Prometheus(f"http://{address}")
        _until(lambda: len(server.query(PARTS_SEEN)) == parts, folder)
        yield server


def _until(is_so: Any, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except (OSError, AssertionError):
            pass  # it answers 503 until it has read its storage
        time.sleep(0.2)
    raise AssertionError((folder / "output.log").read_text()[-2000:])
