"""Turns options into the processes to start: their commands, their settings and the ports they share."""

import contextlib
import os
import secrets
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.common.nkeys import UserKey, read_user_key
from services.common.settings import SettingsError
from tools import nats_config
from tools.run.options import ROOT, Options, OptionsError

PRIVATE_PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections."""
SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")


@dataclass
class Part:
    """One process: how it is started and how it is known to be ready."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ready_url: str = ""
    """HTTP address that answers 200 once it serves."""


def free_port() -> int:
    """A TCP port on loopback that nobody holds just now, and that no outgoing connection is given before it is used."""
    for _ in range(100):
        port = PRIVATE_PORTS.start + secrets.randbelow(len(PRIVATE_PORTS))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OptionsError(f"none of the ports {PRIVATE_PORTS.start} to {PRIVATE_PORTS.stop - 1} is free")


def check_port(port: int, kind: socket.SocketKind, host: str, what: str) -> None:
    """Raises OptionsError when a public port is taken."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise OptionsError(
                f"port {port} ({what}) needs rights this user lacks: take one above 1023, PORT=8080"
            ) from error
        except OSError as error:
            raise OptionsError(
                f"port {port} ({what}) is taken by another program: try make run PORT={port + 1000}"
            ) from error


def secret_file(path: Path, make: Callable[[], str] = lambda: secrets.token_hex(32)) -> Path:
    """A file with what `make` returns, by default 256 random bits, made once, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(make())
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
        keys = {name: read_user_key(bus_seed(seed_path(options, name))).public for name in SERVICES}
    except SettingsError as error:
        raise OptionsError(f"{error}: delete the file, and a new one is made") from error
    config = folder / "nats.conf"
    config.touch(mode=0o600)
    config.write_text(
        nats_config.local(f"127.0.0.1:{port}", f"127.0.0.1:{monitor}", folder / "jetstream", keys),
        encoding="utf-8",
    )
    config.chmod(0o600)
    return Part("nats", [nats_program(), "-c", str(config)], {}, f"http://127.0.0.1:{monitor}/healthz")


def common_settings(name: str, options: Options, ports: dict[str, int]) -> dict[str, str]:
    """Settings every service has."""
    state = options.state
    return {
        "GRPC_LISTEN": f"127.0.0.1:{ports[name]}",
        "METRICS_LISTEN": f"127.0.0.1:{ports[name + '/metrics']}",
        "NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "NATS_NKEY_SEED_FILE": str(seed_path(options, name)),
        "SERVICE_SECRET_FILE": str(secret_file(state / "secrets" / "service")),
        "AUTH_ADDRESS": f"127.0.0.1:{ports['auth']}",
        "LOG_FORMAT": options.log_format,
    }


def own_settings(name: str, options: Options, ports: dict[str, int]) -> dict[str, str]:
    """Settings that one service alone has."""
    data = options.state / "data"
    data.mkdir(parents=True, exist_ok=True)
    owner_link = options.state / "owner-link"
    database = {"DATABASE_URL": f"sqlite+aiosqlite:///{data / name}.db"}
    addresses = {
        "INVITE_ADDRESS": f"127.0.0.1:{ports['invite']}",
        "ROOM_DIRECTORY_ADDRESS": f"127.0.0.1:{ports['room_directory']}",
    }
    match name:
        case "auth":
            mail = {"MAIL_DIRECTORY": str(options.state / "mail")} if options.local else {}
            return {**database, "PUBLIC_URL": options.url, "OWNER_LINK_FILE": str(owner_link), **mail}
        case "invite":
            return {
                **database,
                "PUBLIC_URL": options.url,
                "CODE_SECRET_FILE": str(secret_file(options.state / "secrets" / "invitation-codes")),
            }
        case "room_directory":
            return {**database, "INVITE_ADDRESS": addresses["INVITE_ADDRESS"]}
        case "media_relay":
            return {
                "ROOM_DIRECTORY_ADDRESS": addresses["ROOM_DIRECTORY_ADDRESS"],
                "BIND": ",".join(f"{host}:{options.port + 2}" for host in options.listen),
                "ADVERTISE": options.media_address,
            }
        case _:
            tls = {"TLS_CERT": str(options.certificate), "TLS_KEY": str(options.key)} if options.certificate else {}
            return {
                **addresses,
                "PUBLIC_URL": options.url,
                "LISTEN": ",".join(f"{host}:{options.port}" for host in options.listen),
                "GRPC_PUBLIC_LISTEN": f"{options.listen[0]}:{options.port + 1}",
                "TRUSTED_PROXIES": options.trusted_proxies,
                "WEB_DIRECTORY": str(ROOT / "web" / "dist"),
                "OWNER_LINK_FILE": str(owner_link),
                **tls,
            }


def plan(options: Options) -> list[Part]:
    """The processes in the order they are started; raises OptionsError when a public port is taken."""
    host = next((address for address in options.listen if not address.startswith("[")), "127.0.0.1")
    check_port(options.port, socket.SOCK_STREAM, host, "HTTP")
    check_port(options.port + 1, socket.SOCK_STREAM, host, "native gRPC")
    check_port(options.port + 2, socket.SOCK_DGRAM, host, "media, UDP")
    ports = {name: free_port() for name in ("nats", "nats/monitor")}
    ports |= {f"{name}{suffix}": free_port() for name in SERVICES for suffix in ("", "/metrics")}
    parts = [nats_part(options, ports["nats"], ports["nats/monitor"])]
    for name in SERVICES:
        values = {**common_settings(name, options, ports), **own_settings(name, options, ports)}
        env = {f"{name.upper()}_{key}": value for key, value in values.items()}
        ready = f"http://127.0.0.1:{ports[name + '/metrics']}/readyz"
        parts.append(Part(name, [sys.executable, "-m", f"services.{name}"], env, ready))
    return parts
