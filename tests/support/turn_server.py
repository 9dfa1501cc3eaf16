"""A real coturn, started as the deployment starts it, on loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import free_port, stopping
from tests.support.stack import ROOT

START = ROOT / "deploy" / "coturn" / "start.sh"
SECRET = "tYq3+a/secret/of/the+turn+server0="
START_SECONDS = 20.0


@dataclass(frozen=True)
class TurnServer:
    """Where it listens, and the file with the secret it shares with the gateway."""

    port: int
    tls_port: int
    secret_file: Path
    folder: Path

    @property
    def output(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")


@contextmanager
def turn_server(
    folder: Path, media_address: str, *options: str, env: Mapping[str, str] | None = None
) -> Iterator[TurnServer]:
    """Coturn, once it takes connections; what it may reach is loopback at `media_address` alone.

    The test is skipped, with the reason, where there is none (in CI it fails).
    """
    if shutil.which("turnserver") is None:
        if os.environ.get("CI"):
            pytest.fail("coturn is not here (Debian package coturn): in CI this test must run")
        pytest.skip("coturn is not here: install the Debian package coturn")
    folder.mkdir(parents=True, exist_ok=True)
    server = TurnServer(free_port(), free_port(), folder / "secret", folder)
    server.secret_file.write_text(f"{SECRET}\n")
    told = {
        "MEDIA_ADDRESS": media_address,
        "TURN_SECRET_FILE": str(server.secret_file),
        "TURN_TLS_FOLDER": str(folder),
        "TURN_STATE": str(folder),
        "TURN_PORT": str(server.port),
        "TURN_TLS_PORT": str(server.tls_port),
        **(env or {}),
    }
    here = ["--allow-loopback-peers", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"]
    # Releases with a command line that is open unless closed (4.9 and older) take loopback only beside a closed one.
    usage = subprocess.run(["turnserver", "-h"], capture_output=True, text=True, check=False).stdout
    here += ["--no-cli"] if "--no-cli" in usage else []
    with (folder / "output.log").open("wb") as out:
        process = subprocess.Popen(
            ["sh", str(START), *here, *options], stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **told}
        )
    with stopping(process):
        _until_it_listens(server, process)
        yield server


def _until_it_listens(server: TurnServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"coturn did not start:\n{server.output[-2000:]}")
