"""Writes the permissions of the bus from the contracts, and from them the configuration of NATS wherever it runs."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PERMISSIONS = ROOT / "deploy" / "nats" / "permissions.json"
SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
USERS = (*SERVICES, "canary")
"""Who logs in: the services, and who watches whether a programme can be heard."""
# Who hears whom: the one thing about the bus that the contracts do not say.
HEARS: Mapping[str, tuple[str, ...]] = {
    "auth": (),
    "invite": ("auth", "media_relay:load"),
    "room_directory": ("auth", "invite", "media_relay:load", "room_directory:pulse", "room_directory:caption"),
    "media_relay": (
        "media_relay:load",
        "programme:frame",
        "programme:wanted",
        "room_directory:ladder_orders_stand",
    ),
    "gateway": (
        "auth",
        "room_directory",
        "room_directory:caption",
        "media_relay:load",
        "programme:frame",
        "media_relay:input_quality",
        "gateway:voices",
        "gateway:piece",
        "gateway:answer",
    ),
    "canary": ("programme:frame",),
}
# And who says what is of no single service.
SAYS: Mapping[str, tuple[str, ...]] = {
    "media_relay": ("programme:frame", "programme:wanted"),
    "gateway": ("programme:wanted",),
    "canary": ("programme:wanted",),
}
_LIMITS = """max_payload: 1MB
max_pending: 16MB
max_connections: 1000
max_control_line: 4KB
write_deadline: "5s"
ping_interval: "20s"
ping_max: 2
"""
NOTICE = "# Written by `python -m ops.nats_config write` from permissions.json; a test holds the two together.\n"


def subjects_of(service: str) -> list[str]:
    """Every subject the service's events travel on, ids as wildcards; read from the options of the contract."""
    from services.common.bus.subject import template_of

    found = set()
    for module in _contracts():
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            if "contract.v1.subject" in str(descriptor.GetOptions()):
                found.add(template_of(getattr(module, descriptor.name)).filter({}))
    return sorted(subject for subject in found if subject.startswith(f"{service}.v1."))


def _contracts() -> Iterator[Any]:
    """The generated code of every file of the contracts."""
    root = Path(next(iter(importlib.import_module("majlis").__path__)))
    for path in sorted(root.rglob("*_pb2.py")):
        yield importlib.import_module(".".join(("majlis", *path.relative_to(root).with_suffix("").parts)))


def heard_from(source: str) -> Iterator[str]:
    """The filters a hearer of `service` (all facts of an entity, in order) or `service:stream` subscribes to."""
    service, _, stream = source.partition(":")
    if stream:
        yield from (subject for subject in subjects_of(service) if subject.split(".")[3] == stream)
    else:
        yield f"{service}.v1.*.*"


def said_by(service: str) -> Iterator[str]:
    """What a service may say of the programme, which is no service of its own."""
    for source in SAYS.get(service, ()):
        yield from heard_from(source)


def derive() -> dict[str, dict[str, list[str]]]:
    """The permissions of every user: what its contract lets it say, what HEARS lets it hear, and its own inbox."""
    return {
        service: {
            "publish": sorted({*subjects_of(service), *said_by(service)}),
            "subscribe": sorted(
                {subject for source in HEARS[service] for subject in heard_from(source)} | {f"_INBOX_{service}.>"}
            ),
        }
        for service in USERS
    }


def _quoted(subjects: list[str]) -> str:
    return "[" + ", ".join(json.dumps(subject) for subject in subjects) + "]"


def _allowing(subjects: list[str]) -> str:
    # An empty allow list would allow everything.
    return f"{{allow: {_quoted(subjects)}}}" if subjects else '{deny: ">"}'


def users(keys: Mapping[str, str]) -> str:
    """The accounts block: one user a service with its allow lists; `keys` are public keys in quotes, or $NAMES."""
    table: dict[str, dict[str, list[str]]] = json.loads(PERMISSIONS.read_text())
    lines = []
    for service, may in table.items():
        lines.append(
            f"      # {service}\n      {{nkey: {keys[service]}, permissions: {{\n"
            f"        publish: {_allowing(may['publish'])}\n        subscribe: {_allowing(may['subscribe'])}}}}}\n"
        )
    return f"accounts {{\n  MAJLIS {{\n    users: [\n{''.join(lines)}    ]\n  }}\n  SYS {{}}\n}}\nsystem_account: SYS\n"


def variables() -> dict[str, str]:
    """Public keys as variables that `keys.conf`, a file beside the configuration, defines."""
    return {user: f"${user.upper()}_KEY" for user in USERS}


def local(listen: str, monitor: str, keys: Mapping[str, str]) -> str:
    """One server on this machine, on loopback and without TLS; `keys` are the services' public keys."""
    quoted = {service: json.dumps(key) for service, key in keys.items()}
    return f"listen: {json.dumps(listen)}\nhttp: {json.dumps(monitor)}\nserver_name: majlis\n{_LIMITS}{users(quoted)}"


def _tls(folder: str, more: str = "") -> str:
    """A tls block: both sides show a certificate of the deployment's authority."""
    return (
        f'tls {{cert_file: "{folder}/tls.crt", key_file: "{folder}/tls.key", ca_file: "{folder}/ca.crt", '
        f'verify: true, min_version: "1.3"{more}}}'
    )


def contained() -> str:
    """One server in a container of Docker Compose, on a network of its own."""
    return (
        f'{NOTICE}include "secrets/keys.conf"\nlisten: "0.0.0.0:4222"\nhttp: "0.0.0.0:8222"\nserver_name: majlis\n'
        f"{_LIMITS}{users(variables())}"
    )


def single(tls: str = "/etc/nats/tls") -> str:
    """The one server of a small Kubernetes installation: TLS from the first byte, certificates both ways."""
    return contained() + _tls(tls, ", handshake_first: true") + "\n"


def clustered(tls: str = "/etc/nats/tls") -> str:
    """One of three servers in Kubernetes; POD_NAME tells it apart, the routes and their password are a secret too."""
    return (
        f'{NOTICE}include "secrets/keys.conf"\nlisten: "0.0.0.0:4222"\nhttp: "0.0.0.0:8222"\n'
        f'server_name: $POD_NAME\n{_LIMITS}lame_duck_grace_period: "5s"\nlame_duck_duration: "30s"\n'
        f'cluster {{\n  name: majlis\n  listen: "0.0.0.0:6222"\n  include "secrets/routes.conf"\n  {_tls(tls)}\n}}\n'
        f"{_tls(tls, ', handshake_first: true')}\n{users(variables())}"
    )


def server_files(keys: Mapping[str, str], route_password: str, peers: list[str]) -> dict[str, str]:
    """The two files that the configurations include: the public keys of the services, and the routes of a cluster."""
    lines = [f'{service.upper()}_KEY: "{key}"\n' for service, key in keys.items()]
    routes = ", ".join(f'"nats://route:{route_password}@{peer}"' for peer in peers)
    authorization = f'authorization {{user: "route", password: "{route_password}"}}'
    return {"keys.conf": "".join(lines), "routes.conf": f"{authorization}\nroutes: [{routes}]\n"}


def files() -> dict[Path, str]:
    """Every file this module writes but the permissions, with its text."""
    return {
        ROOT / "deploy" / "nats" / "nats.conf": contained(),
        ROOT / "k8s" / "components" / "nats-single" / "nats.conf": single(),
        ROOT / "k8s" / "components" / "nats-cluster" / "nats.conf": clustered(),
    }


def write() -> None:
    """Writes the permissions and every configuration."""
    PERMISSIONS.write_text(json.dumps(derive(), indent=2) + "\n")
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def faults() -> Iterator[str]:
    """What differs from what would be written."""
    if json.loads(PERMISSIONS.read_text()) != derive():
        yield f"{PERMISSIONS.relative_to(ROOT)} is not what the contracts say"
    for path, text in files().items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)} is not what the permissions say"


def main(arguments: list[str]) -> int:
    """`write` the files, or `check` that they are what would be written."""
    parser = argparse.ArgumentParser(prog="python -m ops.nats_config", description=__doc__)
    parser.add_argument("what", choices=["write", "check"])
    if parser.parse_args(arguments).what == "write":
        write()
    found = list(faults())
    for fault in found:
        print(f"{fault}: python -m ops.nats_config write", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
