"""Entry point of the images: fits the environment to the service, then replaces itself with it.

Given `majlis …` it runs that command instead.
"""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path


def fit(env: MutableMapping[str, str], service: str) -> None:
    """Turns what an orchestrator knows (a secret's file, a pod's name and node) into settings of the service."""
    prefix = service.upper()
    database = env.pop(f"{prefix}_DATABASE_URL_FILE", "")
    if database:
        env[f"{prefix}_DATABASE_URL"] = Path(database).read_text(encoding="utf-8").strip()
    if service == "media_relay" and env.get("POD_NAME"):
        fit_relay(env)


def fit_relay(env: MutableMapping[str, str]) -> None:
    """A StatefulSet's pod keeps its name: its relay keeps its id (ids have no hyphens) and its public port."""
    name = env["POD_NAME"]
    env.setdefault("MEDIA_RELAY_RELAY_ID", name.replace("-", ""))
    first = env.get("FIRST_MEDIA_PORT", "")
    port = f":{int(first) + int(name.rsplit('-', 1)[1])}" if first else ""
    addresses = env.get("MEDIA_RELAY_ADVERTISE") or env.get("HOST_IP", "")
    if addresses:
        env["MEDIA_RELAY_ADVERTISE"] = ",".join(with_port(each.strip(), port) for each in addresses.split(","))


def with_port(address: str, port: str) -> str:
    """The address with the port, unless it names one itself; IPv6 in brackets."""
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    has_port = address.rpartition("]")[2].startswith(":") if "]" in address else ":" in address
    return address if has_port or not port else f"{address}{port}"


def main() -> None:
    """Runs the service of this image, or the operator's command that was asked for."""
    if sys.argv[1:2] == ["majlis"]:
        os.execv(sys.executable, [sys.executable, "-m", "ops", *sys.argv[2:]])  # noqa: S606 - no shell wanted
    service = os.environ["MAJLIS_SERVICE"]
    fit(os.environ, service)
    os.execv(sys.executable, [sys.executable, "-m", f"services.{service}", *sys.argv[1:]])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
