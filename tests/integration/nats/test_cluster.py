"""The production cluster's configuration on three real servers: routes with TLS, loss of a server, renewal, bounds."""

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from majlis.auth.v1 import auth_facts_pb2 as facts

from ops import nats_config
from ops.nats_config import USERS
from services.common.bus.client import Bus
from services.common.bus.nkeys import UserKey
from services.common.sight.metrics import Metrics
from tests.support.certificates import Authority
from tests.support.fake_bus import eventually
from tests.support.nats_server import nats_binary
from tests.support.processes import free_port
from tests.support.rpc_harness import test_settings

USER = "user000000000001"
KEYS = {service: UserKey(service.encode().ljust(32, b".")) for service in USERS}


class Server:
    """One server of the cluster in a folder of its own, with only its addresses changed."""

    def __init__(self, folder: Path, number: int, routes: list[int], authority: Authority) -> None:
        self.folder, self.port, self.monitor, self.route = folder / f"nats-{number}", free_port(), free_port(), 0
        self.route = routes[number]
        self._name = f"nats-{number}"
        tls, secrets = self.folder / "tls", self.folder / "secrets"
        tls.mkdir(parents=True)
        secrets.mkdir()
        self.certify(authority)
        public = {service: key.public for service, key in KEYS.items()}
        for name, text in nats_config.server_files(public, "route", [f"127.0.0.1:{each}" for each in routes]).items():
            (secrets / name).write_text(text)
        text = nats_config.clustered(str(tls))
        for default, ours in ((4222, self.port), (8222, self.monitor), (6222, self.route)):
            text = text.replace(f'"0.0.0.0:{default}"', f'"127.0.0.1:{ours}"')
        (self.folder / "nats.conf").write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def certify(self, authority: Authority) -> None:
        """Puts a new certificate and the authority into the server's files."""
        for made, name in zip(authority.issue("nats", identity=""), ("tls.crt", "tls.key"), strict=True):
            shutil.copyfile(made, self.folder / "tls" / name)
        shutil.copyfile(authority.ca_file, self.folder / "tls" / "ca.crt")

    def start(self) -> None:
        command = [nats_binary(), "-c", str(self.folder / "nats.conf"), "-l", str(self.folder / "log")]
        self._process = subprocess.Popen(command, env={**os.environ, "POD_NAME": self._name})

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def ask(self, path: str) -> Any:
        """The server's own monitoring; an empty answer while it starts."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{path}", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def peers(self) -> set[str]:
        return {route["remote_name"] for route in self.ask("routez").get("routes", [])}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def cluster(tmp_path: Path, authority: Authority) -> Iterator[list[Server]]:
    routes = [free_port() for _ in range(3)]
    servers = [Server(tmp_path, number, routes, authority) for number in range(3)]
    for server in servers:
        server.start()
    deadline = time.monotonic() + 30
    while any(len(server.peers()) < 2 for server in servers):
        assert time.monotonic() < deadline, [server.peers() for server in servers]
        time.sleep(0.05)
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
async def buses(tmp_path: Path, authority: Authority, cluster: list[Server]) -> AsyncIterator[dict[str, Bus]]:
    """Connects auth to the first server, and invite to one of the others."""
    made = {}
    urls = [f"tls://127.0.0.1:{server.port}" for server in cluster]
    for service, url in (("auth", urls[0]), ("invite", ",".join(urls[1:]))):
        seed = tmp_path / f"{service}.seed"
        seed.write_text(KEYS[service].seed)
        settings = test_settings(tmp_path, nats_url=url, nats_nkey_seed_file=seed, **authority.files(service))
        made[service] = Bus(settings, Metrics(service))
        await made[service].connect()
    yield made
    for bus in made.values():
        await bus.close()


async def test_a_fact_crosses_the_cluster_and_the_loss_of_a_server(
    cluster: list[Server], buses: dict[str, Bus]
) -> None:
    heard: list[int] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.number)

    await buses["invite"].subscribe(facts.AccountCreated, hear)

    async def crosses(number: int) -> bool:
        await buses["auth"].publish(facts.AccountCreated(number=number, user_id=USER))
        return number in heard

    # Interest spreads over the routes in its own time.
    await until(lambda: crosses(1))
    used = next(server for server in cluster[1:] if server.ask("varz").get("connections"))
    used.stop()
    await until(lambda: crosses(2))


async def until(check: Any) -> None:
    for _ in range(300):
        if await check():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass in time")


async def test_a_server_without_a_certificate_of_the_deployment_is_no_peer(
    cluster: list[Server], tmp_path: Path
) -> None:
    stranger = Server(
        tmp_path, 3, [*(server.route for server in cluster), free_port()], Authority(tmp_path / "foreign")
    )
    stranger.start()
    try:
        await eventually(lambda: bool(stranger.ask("varz")))
        # It knows routes and password; each try ends in the handshake, as its log says.
        log = stranger.folder / "log"
        await eventually(lambda: "TLS route handshake error" in log.read_text())
        assert stranger.peers() == set()
        assert all("nats-3" not in server.peers() for server in cluster)
    finally:
        stranger.stop()


def shown(port: int) -> bytes:
    """The certificate a server shows, whoever signed it."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=5).encode()


async def test_a_renewed_certificate_is_shown_after_a_hangup_and_nobody_is_dropped(
    cluster: list[Server], buses: dict[str, Bus], authority: Authority
) -> None:
    server = cluster[0]
    before = await asyncio.to_thread(shown, server.port)
    server.certify(authority)
    server.reload()

    async def is_renewed() -> bool:
        return await asyncio.to_thread(shown, server.port) != before

    await until(is_renewed)
    assert buses["auth"].connected
    assert server.ask("varz")["total_connections"] >= 1
    assert len(server.peers()) == 2


async def test_the_bus_keeps_nothing_and_needs_no_disk_to_be_ready(cluster: list[Server]) -> None:
    for server in cluster:
        assert server.ask("jsz")["disabled"] is True
        assert server.ask("healthz")["status"] == "ok"
        assert sorted(path.name for path in server.folder.iterdir()) == ["log", "nats.conf", "secrets", "tls"]
