"""Renders the Kubernetes manifests and checks them offline: schemas, and settings against the code."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import yaml

from services.common.settings import describe
from tools.bootstrap import ROOT, VENV

SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
Manifest = dict[str, Any]


def folders() -> list[str]:
    """The base and every overlay."""
    overlays = sorted(path.parent for path in (ROOT / "k8s" / "overlays").glob("*/kustomization.yaml"))
    return [str(folder.relative_to(ROOT)) for folder in [ROOT / "k8s" / "base", *overlays]]


def render(folder: str) -> list[Manifest]:
    """What kustomize makes of a folder."""
    command = [str(VENV / "bin" / "kubectl"), "kustomize", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{folder} does not render:\n{done.stderr}")
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def schema_errors(manifests: list[Manifest]) -> Iterator[str]:
    """Faults against the newest Kubernetes version's schemas."""
    for manifest in manifests:
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        try:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name}: no schema of {manifest['apiVersion']}"
        except kubernetes_validate.ValidationError as error:
            yield f"{name}: {error.message}"


def service_of(manifest: Manifest) -> str | None:
    """Which service a workload runs, or None."""
    name = str(manifest["metadata"]["name"]).replace("-", "_")
    return name if manifest["kind"] in {"Deployment", "StatefulSet"} and name in SERVICES else None


def named_settings(workload: Manifest, config_maps: dict[str, Manifest]) -> set[str]:
    """The settings a workload's container is given."""
    names: set[str] = set()
    for container in workload["spec"]["template"]["spec"]["containers"]:
        names |= {entry["name"] for entry in container.get("env", [])}
        for source in container.get("envFrom", []):
            names |= set(config_maps[source["configMapRef"]["name"]]["data"])
    return names


def setting_errors(manifests: list[Manifest]) -> Iterator[str]:
    """Settings that the code does not have, and required ones that are not given."""
    config_maps = {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == "ConfigMap"}
    for manifest in manifests:
        service = service_of(manifest)
        if service is None:
            continue
        settings = importlib.import_module(f"services.{service}.settings").Settings
        documented = describe(settings, service.upper())
        given = named_settings(manifest, config_maps)
        ours = {name for name in given if name.startswith(f"{service.upper()}_")}
        for name in sorted(ours - {setting.env for setting in documented}):
            yield f"{manifest['metadata']['name']}: {name} is not a setting of {service}"
        for setting in documented:
            if setting.default is None and setting.env not in given:
                yield f"{manifest['metadata']['name']}: {setting.env} must be given"


def main() -> int:
    """Checks every folder; prints what is wrong."""
    faults = 0
    for folder in folders():
        manifests = render(folder)
        found = [*schema_errors(manifests), *setting_errors(manifests)]
        faults += len(found)
        for fault in found:
            print(f"{folder}: {fault}", file=sys.stderr)
        print(f"{folder}: {len(manifests)} manifests, {len(found)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
