"""Makes the secrets of a deployment once, as files, as Docker Compose wants them and as Kubernetes wants them."""

import argparse
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools import nats_config
from tools.nats_config import SERVICES

KEEPERS = ("auth", "invite", "room_directory")
PEERS = [f"nats-{number}.nats-peers:6222" for number in range(3)]
_MADE = (
    "service",
    "invitation-codes",
    "postgres-password",
    "grafana-password",
    "nats-route",
    *(f"nats-{service}" for service in SERVICES),
    *(f"database-{keeper}-password" for keeper in KEEPERS),
)


def keep(folder: Path) -> dict[str, str]:
    """The secrets of the folder; those that are missing are made. A secret that exists is never changed."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    values = {}
    for name in _MADE:
        path = folder / name
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(secrets.token_hex(32))
        values[name] = path.read_text(encoding="utf-8").strip()
    return values


def bus_files(values: Mapping[str, str]) -> dict[str, str]:
    """What the NATS servers include."""
    passwords = {service: values[f"nats-{service}"] for service in SERVICES}
    return nats_config.secret_files(passwords, values["nats-route"], PEERS)


def database_url(values: Mapping[str, str], keeper: str, host: str) -> str:
    """The connection of one service, with its own role."""
    return f"postgresql://{keeper}:{values[f'database-{keeper}-password']}@{host}:5432/majlis"


def compose_files(values: Mapping[str, str], host: str = "postgres") -> dict[str, str]:
    """Name to text of each secret file that deploy/compose.yaml mounts."""
    urls = {f"database-{keeper}-url": database_url(values, keeper, host) for keeper in KEEPERS}
    files = {name: value for name, value in values.items() if name != "nats-route"}
    return {**files, **urls, "nats-passwords": bus_files(values)["passwords.conf"], "smtp-password": ""}


def write_compose(values: Mapping[str, str], folder: Path) -> None:
    """Writes them; the folder keeps others out, and the files are readable, for containers run as another user."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in compose_files(values).items():
        path = folder / name
        if name == "smtp-password" and path.exists():
            continue
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)


def manifests(values: Mapping[str, str], namespace: str, host: str) -> list[dict[str, Any]]:
    """The Secrets that the overlays name."""
    contents: dict[str, dict[str, str]] = {
        "majlis-service-secret": {"secret": values["service"]},
        "majlis-invitation-codes": {"secret": values["invitation-codes"]},
        "majlis-nats": bus_files(values),
        "majlis-database": {keeper: database_url(values, keeper, host) for keeper in KEEPERS},
    }
    for service in SERVICES:
        contents[f"majlis-nats-{service.replace('_', '-')}"] = {"password": values[f"nats-{service}"]}
    for keeper in KEEPERS:
        password = values[f"database-{keeper}-password"]
        contents[f"majlis-db-{keeper.replace('_', '-')}"] = {"username": keeper, "password": password}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "type": "kubernetes.io/basic-auth" if "username" in data else "Opaque",
            "stringData": data,
        }
        for name, data in contents.items()
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `secrets`."""
    parser.add_argument("--folder", type=Path, default=Path("var/secrets"), help="where they are kept")
    parser.add_argument("--namespace", default="", help="print Kubernetes Secrets for this namespace")
    parser.add_argument("--database-host", default="majlis-db-rw", help="host of PostgreSQL, for Kubernetes")


def run(options: argparse.Namespace) -> int:
    """Makes what is missing; prints Kubernetes Secrets, or writes the files for Compose."""
    values = keep(options.folder)
    if options.namespace:
        print(yaml.safe_dump_all(manifests(values, options.namespace, options.database_host), sort_keys=False))
    else:
        write_compose(values, options.folder / "compose")
        print(f"the secrets are in {options.folder}: keep a copy away from this machine")
    return 0
