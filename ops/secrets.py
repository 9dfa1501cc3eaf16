"""Makes the secrets of a deployment once, as files, as Docker Compose wants them and as Kubernetes wants them."""

import argparse
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ops import certificates, nats_config
from ops.nats_config import SERVICES, USERS
from services.common.bus.nkeys import UserKey

KEEPERS = ("auth", "invite", "room_directory")
NATS_SERVERS = 3
# What has a certificate of the deployment's authority in Kubernetes.
CERTIFIED = (*(service.replace("_", "-") for service in SERVICES), "nats")
DATABASE_CA = "/var/run/majlis/database/ca.crt"
"""Where components/postgresql mounts the authority of the database."""
VERIFIED = f"sslmode=verify-full&sslrootcert={DATABASE_CA}"
_TYPES = {"username": "kubernetes.io/basic-auth", "tls.key": "kubernetes.io/tls"}


def _random() -> str:
    return secrets.token_hex(32)


def _seed() -> str:
    return UserKey(secrets.token_bytes(32)).seed


_MADE: Mapping[str, Callable[[], str]] = {
    **dict.fromkeys(("service", "invitation-codes", "postgres-password", "grafana-password", "nats-route"), _random),
    "turn": _random,
    **dict.fromkeys((f"nats-seed-{user}" for user in USERS), _seed),
    **dict.fromkeys((f"database-{keeper}-password" for keeper in KEEPERS), _random),
    "authority": certificates.new_authority,
}


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def keep(folder: Path) -> dict[str, str]:
    """The secrets of the folder; those that are missing are made. A secret that exists is never changed."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    values = {}
    for name, make in _MADE.items():
        path = folder / name
        if not path.exists():
            _write(path, make())
        values[name] = path.read_text(encoding="utf-8").strip()
    return values


def other_authorities(folder: Path) -> list[str]:
    """Authorities that are trusted while one gives way to another: the next one, then the one before."""
    paths = [folder / name for name in ("authority-next", "authority-before")]
    return [path.read_text(encoding="utf-8") for path in paths if path.exists()]


def begin_new_authority(folder: Path) -> None:
    """Makes the next authority; it signs nothing yet."""
    _write(folder / "authority-next", certificates.new_authority())


def bus_files(values: Mapping[str, str], namespace: str = "majlis") -> dict[str, str]:
    """What the NATS servers include: the services' public keys, and the routes of a cluster."""
    keys = {user: UserKey.from_seed(values[f"nats-seed-{user}"]).public for user in USERS}
    peers = [f"nats-{number}.nats-peers.{namespace}:6222" for number in range(NATS_SERVERS)]
    return nats_config.server_files(keys, values["nats-route"], peers)


def database_url(values: Mapping[str, str], keeper: str, host: str, tls: str = "") -> str:
    """The connection of one service, with its own role; `tls` is the query that asks for TLS."""
    query = f"?{tls}" if tls else ""
    return f"postgresql://{keeper}:{values[f'database-{keeper}-password']}@{host}:5432/majlis{query}"


def compose_files(values: Mapping[str, str], host: str = "postgres") -> dict[str, str]:
    """Name to text of each secret file that deploy/compose.yaml mounts."""
    urls = {f"database-{keeper}-url": database_url(values, keeper, host) for keeper in KEEPERS}
    files = {name: value for name, value in values.items() if name not in ("nats-route", "authority")}
    return {**files, **urls, "nats-keys": bus_files(values)["keys.conf"], "smtp-password": ""}


def write_compose(values: Mapping[str, str], folder: Path) -> None:
    """Writes them; the folder keeps others out, and the files are readable, for containers run as another user."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in compose_files(values).items():
        path = folder / name
        if name == "smtp-password" and path.exists():
            continue
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)


def mounted_by(part: str) -> set[str]:
    """The Secrets that one part of the deployment mounts: another namespace needs no more than those of its parts."""
    found = {f"{part}-tls"}
    if part == "nats":
        return found | {"majlis-nats"}
    found |= {"majlis-service-secret", f"majlis-nats-{part}"}
    if part.replace("-", "_") in KEEPERS:
        found |= {"majlis-database", f"majlis-db-{part}"}
    return found | ({"majlis-invitation-codes"} if part == "invite" else set())


def manifests(
    values: Mapping[str, str],
    namespace: str,
    host: str,
    *,
    certified: bool = True,
    trusted: Sequence[str] = (),
    only: Sequence[str] = (),
    database_tls: str = VERIFIED,
) -> list[dict[str, Any]]:
    """The Secrets that the overlays name; those with certificates are made anew each time, or left to cert-manager.

    `only` names parts (media-relay, nats): what no other part mounts is left out then.
    """
    contents: dict[str, dict[str, str]] = {
        "majlis-service-secret": {"secret": values["service"]},
        "majlis-invitation-codes": {"secret": values["invitation-codes"]},
        "majlis-nats": bus_files(values, namespace),
        "majlis-database": {keeper: database_url(values, keeper, host, database_tls) for keeper in KEEPERS},
    }
    for service in SERVICES:
        contents[f"majlis-nats-{service.replace('_', '-')}"] = {"seed": values[f"nats-seed-{service}"]}
    for keeper in KEEPERS:
        password = values[f"database-{keeper}-password"]
        contents[f"majlis-db-{keeper.replace('_', '-')}"] = {"username": keeper, "password": password}
    if certified:
        authority = values["authority"]
        contents |= {
            f"{part}-tls": certificates.issue(authority, part, namespace, others=trusted) for part in CERTIFIED
        }
    wanted = {name for part in only for name in mounted_by(part)}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "type": next((kind for key, kind in _TYPES.items() if key in data), "Opaque"),
            "stringData": data,
        }
        for name, data in contents.items()
        if not only or name in wanted
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `secrets`."""
    parser.add_argument("--folder", type=Path, default=Path("var/secrets"), help="where they are kept")
    parser.add_argument("--namespace", default="", help="print Kubernetes Secrets for this namespace")
    parser.add_argument("--database-host", default="majlis-db-rw", help="host of PostgreSQL, for Kubernetes")
    parser.add_argument(
        "--database-tls",
        default=VERIFIED,
        help="how PostgreSQL proves who it is, as its addresses say it (verify-full with the mounted ca.crt); "
        "sslmode=require for one whose authority you do not have",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="PART", choices=CERTIFIED, help="what this part mounts, no more"
    )
    parser.add_argument("--new-authority", action="store_true", help="begin to trust a new authority: see the guide")
    parser.add_argument(
        "--no-certificates", action="store_true", help="leave certificates out: cert-manager issues them"
    )


def run(options: argparse.Namespace) -> int:
    """Makes what is missing; prints Kubernetes Secrets, or writes the files for Compose."""
    values = keep(options.folder)
    if options.new_authority and not (options.folder / "authority-next").exists():
        begin_new_authority(options.folder)
    if options.namespace:
        certified = not options.no_certificates
        trusted = other_authorities(options.folder)
        made = manifests(
            values,
            options.namespace,
            options.database_host,
            certified=certified,
            trusted=trusted,
            only=options.only,
            database_tls=options.database_tls,
        )
        # JSON is YAML too, and the images have no library for more.
        print("\n---\n".join(json.dumps(each, indent=1) for each in made))
    else:
        write_compose(values, options.folder / "compose")
        print(f"the secrets are in {options.folder}: keep a copy away from this machine")
    return 0
