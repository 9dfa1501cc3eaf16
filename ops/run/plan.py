"""Turns options into the processes to start: their commands, their settings and the ports they share."""

import atexit
import os
import secrets
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops import nats_config
from ops.run.options import ROOT, Options, OptionsError
from ops.run.ports import check_ports
from services.common.bus.nkeys import UserKey, read_user_key
from services.common.settings import SettingsError
from services.common.trust.private import write_private

PRIVATE_PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections."""
DRAWS = 100
SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")


@dataclass
class Part:
    """One process: how it is started and how it is known to be ready."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ready_url: str = ""
    """HTTP address that answers 200 once it serves."""
    metrics: str = ""
    """Host and port of its numbers, for Prometheus; empty where there are none in Prometheus' form."""
    unused: tuple[str, ...] = ()
    """Variables of the environment that do not count, since they would take the parts from one another."""

    @property
    def alive_url(self) -> str:
        """HTTP address that answers 503 when its event loop stands still; empty where there is none."""
        return f"http://{self.metrics}/healthz" if self.metrics else ""


def free_port() -> int:
    """A TCP port on loopback that nobody holds just now, and that no outgoing connection is given before it is used.

    Two systems that start at the same time on one machine never draw the same: until this process ends it holds the
    UDP port of that number, which no part uses.
    """
    for _ in range(DRAWS):
        port = PRIVATE_PORTS.start + secrets.randbelow(len(PRIVATE_PORTS))
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        atexit.register(claim.close)
        return port
    raise OptionsError(f"none of the ports {PRIVATE_PORTS.start} to {PRIVATE_PORTS.stop - 1} is free")


def secret_file(path: Path, make: Callable[[], str] = lambda: secrets.token_hex(32)) -> Path:
    """A file with what `make` returns, by default 256 random bits, made once, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, make())
    return path


def bus_seed(path: Path) -> Path:
    """A file with the seed of a key for NATS, made once, readable by its owner only."""
    return secret_file(path, lambda: UserKey(secrets.token_bytes(32)).seed)


def nats_program() -> str:
    """The NATS server: the one of the virtual environment, else one on the path."""
    bundled = Path(sysconfig.get_path("scripts"), "nats-server")
    found = str(bundled) if bundled.exists() else shutil.which("nats-server")
    if not found:
        raise OptionsError("there is no nats-server here: run `make run` rather than this module")
    return found


def seed_path(options: Options, name: str) -> Path:
    """Where the seed of a service's key for NATS lies."""
    return options.state / "secrets" / f"nats-seed-{name}"


def nats_part(options: Options, port: int, monitor: int) -> Part:
    """The bus, on loopback, with one user a service and keys made at the first start."""
    folder = options.state / "nats"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        keys = {name: read_user_key(bus_seed(seed_path(options, name))).public for name in nats_config.USERS}
    except SettingsError as error:
        raise OptionsError(f"{error}: delete the file, and a new one is made") from error
    config = folder / "nats.conf"
    write_private(config, nats_config.local(f"127.0.0.1:{port}", f"127.0.0.1:{monitor}", keys))
    return Part("nats", [nats_program(), "-c", str(config)], {}, f"http://127.0.0.1:{monitor}/healthz")


def wiring(name: str, options: Options, ports: dict[str, int]) -> dict[str, str]:
    """Settings by which a part finds the others and the options are kept: what is in the environment does not count."""
    state = options.state
    secret = str(secret_file(state / "secrets" / "service"))
    common = {
        "GRPC_LISTEN": f"127.0.0.1:{ports[name]}",
        "METRICS_LISTEN": f"127.0.0.1:{ports[name + '/metrics']}",
        "NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "NATS_NKEY_SEED_FILE": str(seed_path(options, name)),
        "SERVICE_SECRET_FILE": secret,
        "AUTH_ADDRESS": f"127.0.0.1:{ports['auth']}",
    }
    invite = {"INVITE_ADDRESS": f"127.0.0.1:{ports['invite']}"}
    directory = {"ROOM_DIRECTORY_ADDRESS": f"127.0.0.1:{ports['room_directory']}"}
    public = {"PUBLIC_URL": options.url}
    owner = {"OWNER_LINK_FILE": str(state / "owner-link")}
    match name:
        case "auth":
            return {**common, **public, **owner}
        case "invite":
            return {**common, **public}
        case "room_directory":
            return {**common, **invite}
        case "media_relay":
            return {**common, **directory}
        case _:
            tls = {"TLS_CERT": str(options.certificate), "TLS_KEY": str(options.key)} if options.certificate else {}
            listen = {
                "LISTEN": ",".join(f"{host}:{options.port}" for host in options.listen),
                "GRPC_PUBLIC_LISTEN": ",".join(f"{host}:{options.port + 1}" for host in options.listen),
            }
            proxies = {"TRUSTED_PROXIES": options.trusted_proxies} if options.trusted_proxies else {}
            return {**common, **invite, **directory, **public, **owner, **listen, **proxies, **tls}


def own_settings(name: str, options: Options) -> dict[str, str]:
    """Settings that whoever starts it may set otherwise, in the environment."""
    data = options.state / "data"
    data.mkdir(parents=True, exist_ok=True)
    log = {"LOG_FORMAT": options.log_format}
    database = {"DATABASE_URL": f"sqlite+aiosqlite:///{data / name}.db"}
    match name:
        case "auth":
            mail = {"MAIL_DIRECTORY": str(options.state / "mail")} if options.local else {}
            return {**log, **database, **mail}
        case "invite":
            codes = secret_file(options.state / "secrets" / "invitation-codes")
            return {**log, **database, "CODE_SECRET_FILE": str(codes)}
        case "room_directory":
            return {**log, **database}
        case "media_relay":
            return {
                **log,
                "BIND": ",".join(f"{host}:{options.port + 2}" for host in options.media_listen),
                "ADVERTISE": ",".join(options.media_addresses),
            }
        case _:
            return {**log, "WEB_DIRECTORY": str(ROOT / "web" / "dist")}


def private_ports(taken: Container[int]) -> dict[str, int]:
    """A port for each private address of the parts, all different and none of those taken."""
    ports: dict[str, int] = {}
    for name in ("nats", "nats/monitor", *(f"{name}{suffix}" for name in SERVICES for suffix in ("", "/metrics"))):
        # The parts take theirs only later, so one drawn before looks free still.
        drawn = (free_port() for _ in range(DRAWS))
        port = next((each for each in drawn if each not in taken and each not in ports.values()), None)
        if port is None:
            raise OptionsError(f"there are too few free ports from {PRIVATE_PORTS.start} to {PRIVATE_PORTS.stop - 1}")
        ports[name] = port
    return ports


def plan(options: Options, environ: Mapping[str, str] = os.environ) -> list[Part]:
    """The processes in the order they are started; raises OptionsError when a public port is taken."""
    check_ports(options)
    ports = private_ports(range(options.port, options.port + 3))
    parts = [nats_part(options, ports["nats"], ports["nats/monitor"])]
    for name in SERVICES:
        own, wired = (
            {f"{name.upper()}_{key}": value for key, value in settings.items()}
            for settings in (own_settings(name, options), wiring(name, options, ports))
        )
        # What somebody set for a part on purpose counts, but not against what holds the parts together.
        env = {**own, **{key: environ[key] for key in own if key in environ}, **wired}
        unused = tuple(sorted(wired.keys() & environ.keys()))
        metrics = f"127.0.0.1:{ports[name + '/metrics']}"
        command = [sys.executable, "-m", f"services.{name}"]
        parts.append(Part(name, command, env, f"http://{metrics}/readyz", metrics, unused))
    return parts
