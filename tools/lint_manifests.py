"""Renders the Kubernetes manifests and checks them offline: schemas, settings, references, policies and the network."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate
import yaml

from ops import nats_config
from services.common.settings import SettingDoc, describe
from tools import lint_network, lint_operators, lint_policies, manifest_settings, relay_ports
from tools.bootstrap import ROOT, VENV

SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
SCHEMAS = ROOT / "k8s" / "schemas"
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
Manifest = dict[str, Any]

# Settings that deploy/start.py makes of something else: what the manifest says -> what the service reads.
MADE_AT_START = {"DATABASE_URL_FILE": "DATABASE_URL"}


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
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [manifest for manifest in yaml.load_all(done.stdout, loader) if manifest]


def name_of(manifest: Manifest) -> str:
    """How faults call it."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def schema_errors(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Faults against the schemas of the newest Kubernetes version, and of the operators' own releases."""
    for manifest in manifests:
        own = SCHEMAS / f"{manifest['kind'].lower()}.json"
        try:
            if own.exists():
                jsonschema.validate(manifest, json.loads(own.read_text()))
            else:
                kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name_of(manifest)}: no schema of {manifest['apiVersion']}"
        except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
            yield f"{name_of(manifest)}: {error.message}"


def service_of(manifest: Manifest) -> str | None:
    """Which service a workload runs, or None."""
    name = str(manifest["metadata"]["name"]).replace("-", "_")
    return name if manifest["kind"] in {"Deployment", "StatefulSet"} and name in SERVICES else None


def config_maps(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == "ConfigMap"}


def given_settings(workload: Manifest, maps: dict[str, Manifest]) -> dict[str, str]:
    """The variables a workload's containers are given; those that Kubernetes fills in are empty."""
    given: dict[str, str] = {}
    for container in workload["spec"]["template"]["spec"]["containers"]:
        for source in container.get("envFrom", []):
            given |= maps[source["configMapRef"]["name"]]["data"]
        given |= {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    return given


def documented(service: str) -> list[SettingDoc]:
    """The settings of a service, from its code."""
    return describe(importlib.import_module(f"services.{service}.settings").Settings, service.upper())


def setting_errors(manifests: list[Manifest]) -> Iterator[str]:
    """Settings the code does not have or that nobody gives or explains; ports and addresses that differ."""
    maps = config_maps(manifests)
    # Without a bus it is the base, which overlays complete.
    whole = any(name_of(each) == "Service/nats" for each in manifests)
    for manifest in manifests:
        service = service_of(manifest)
        if service is None:
            continue
        prefix, name = service.upper(), manifest["metadata"]["name"]
        given = given_settings(manifest, maps)
        for file, made in MADE_AT_START.items():
            if f"{prefix}_{file}" in given:
                given[f"{prefix}_{made}"] = given.pop(f"{prefix}_{file}")
        known = documented(service)
        for each in sorted(given.keys() - {setting.env for setting in known}):
            if each.startswith(f"{prefix}_"):
                yield f"{name}: {each} is not a setting of {service}"
        for setting in known:
            if setting.default is None and setting.env not in given:
                yield f"{name}: {setting.env} must be given"
            elif whole and setting.env not in given and not manifest_settings.is_left(setting.env, prefix):
                yield f"{name}: {setting.env} is not given; give it, or say why not in tools/manifest_settings.py"
        yield from port_errors(manifest, prefix, given)
        yield from address_errors(name, given, manifests)
        yield from file_errors(manifest, prefix, given)


def port_errors(workload: Manifest, prefix: str, given: dict[str, str]) -> Iterator[str]:
    """Ports that the settings open and the container does not name, or the other way round."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    named = {port["name"]: port["containerPort"] for each in containers for port in each.get("ports", [])}
    settings = {
        "grpc": "GRPC_LISTEN",
        "metrics": "METRICS_LISTEN",
        "http": "LISTEN",
        "public-grpc": "GRPC_PUBLIC_LISTEN",
        "media": "BIND",
    }
    for port, setting in settings.items():
        opened = given.get(f"{prefix}_{setting}", ":0").rsplit(":", 1)[1]
        if int(opened) != named.get(port, 0):
            yield f"{workload['metadata']['name']}: {prefix}_{setting} opens {opened}, port {port} is {named.get(port)}"


def address_errors(name: str, given: dict[str, str], manifests: list[Manifest]) -> Iterator[str]:
    """Addresses of services that no Service of these manifests has."""
    served = {
        (each["metadata"]["name"], port["port"])
        for each in manifests
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    has_bus = ("nats", 4222) in served
    for variable, value in given.items():
        if not variable.endswith(("_ADDRESS", "_NATS_URL")) or variable.endswith("_PUBLIC_ADDRESS"):
            continue
        for address in value.split(","):
            host, _, port = address.removeprefix("nats://").removeprefix("tls://").partition(":")
            is_bus = variable.endswith("_NATS_URL")
            if (host.split(".")[0], int(port)) not in served and (has_bus or not is_bus):
                yield f"{name}: {variable}={value} leads to no Service"


def file_errors(workload: Manifest, prefix: str, given: dict[str, str]) -> Iterator[str]:
    """Settings that name a file where nothing is mounted, or where a read-only root cannot be written."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    mounts = [mount["mountPath"] for each in containers for mount in each.get("volumeMounts", [])]
    for variable, value in given.items():
        is_file = variable.startswith(f"{prefix}_") and (variable.endswith("_FILE") or value.startswith("sqlite"))
        path = "/" + value.split(":////")[-1].lstrip("/")
        if is_file and not any(path.startswith(f"{mount}/") for mount in mounts) and not path.startswith("/app/"):
            yield f"{workload['metadata']['name']}: {variable}={value} is on no volume"


def reference_errors(manifests: list[Manifest]) -> Iterator[str]:
    """Names that lead nowhere: ConfigMaps, claims, ports, selectors; and secrets the guide does not tell of."""
    maps = config_maps(manifests)
    guide = GUIDE.read_text() if GUIDE.exists() else ""
    made = {each["spec"]["secretName"] for each in manifests if each["kind"] == "Certificate"}
    claims = {each["metadata"]["name"] for each in manifests if each["kind"] == "PersistentVolumeClaim"}
    workloads = [each for each in manifests if each["kind"] in {"Deployment", "StatefulSet"}]
    for workload in workloads:
        for volume in workload["spec"]["template"]["spec"].get("volumes", []):
            for secret in secrets_of(volume):
                if secret not in made and f"`{secret}`" not in guide:
                    yield f"{name_of(workload)}: the guide does not say how secret {secret} is made"
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                yield f"{name_of(workload)}: there is no ConfigMap {volume['configMap']['name']}"
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in claims:
                yield f"{name_of(workload)}: there is no claim {claim}"
    for service in (each for each in manifests if each["kind"] == "Service"):
        yield from service_errors(service, workloads)


def secrets_of(volume: Manifest) -> set[str]:
    """The Secrets a volume shows, its own or among others."""
    shown = [volume.get("secret", {}).get("secretName")]
    shown += [each.get("secret", {}).get("name") for each in volume.get("projected", {}).get("sources", [])]
    return {name for name in shown if name}


def service_errors(service: Manifest, workloads: list[Manifest]) -> Iterator[str]:
    """A Service that selects no pod, or a port its pods do not have."""
    wanted = dict(service["spec"]["selector"])
    pod = wanted.pop("statefulset.kubernetes.io/pod-name", None)
    if pod is not None:
        wanted["app.kubernetes.io/name"] = re.sub(r"-\d+$", "", pod)
    chosen = [each for each in workloads if wanted.items() <= each["spec"]["template"]["metadata"]["labels"].items()]
    if not chosen:
        yield f"{name_of(service)}: selects no pod"
    for workload in chosen:
        containers = workload["spec"]["template"]["spec"]["containers"]
        names = {port["name"] for each in containers for port in each.get("ports", [])}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in names:
                yield f"{name_of(service)}: {name_of(workload)} has no port {port['targetPort']}"


def scaling_errors(manifests: list[Manifest]) -> Iterator[str]:
    """As many public relay ports, from ordinal 0, as the autoscaler may make relays; and its number left to it."""
    ports = sorted(
        each["metadata"]["name"]
        for each in manifests
        if each["kind"] == "Service" and each["spec"].get("type") == "NodePort"
    )
    scalers = [each for each in manifests if each["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}]
    most = [each["spec"].get("maxReplicas", each["spec"].get("maxReplicaCount")) for each in scalers]
    scaled = {(ref["kind"], ref["name"]) for ref in (each["spec"]["scaleTargetRef"] for each in scalers)}
    for each in manifests:
        if (each["kind"], each["metadata"]["name"]) in scaled and "replicas" in each["spec"]:
            yield f"{name_of(each)}: replicas would undo at each apply what the autoscaler did"
    if len(most) > 1:
        yield "two autoscalers want the relays"
    for count in most:
        if ports != sorted(f"media-relay-{number}" for number in range(count)):
            yield f"the autoscaler may make {count} relays, and there are ports for {len(ports)}"


CHECKS: tuple[Callable[[list[Manifest]], Iterator[str]], ...] = (
    schema_errors,
    setting_errors,
    reference_errors,
    scaling_errors,
    lint_policies.errors,
    lint_operators.errors,
    lint_network.errors,
)


def main() -> int:
    """Checks every folder; prints what is wrong."""
    faults = relay_ports.main(["check"]) + nats_config.main(["check"])
    for name in manifest_settings.stale(
        (service.upper(), each.env) for service in SERVICES for each in documented(service)
    ):
        print(f"tools/manifest_settings.py: {name} is no setting any more", file=sys.stderr)
        faults += 1
    for folder in folders():
        manifests = render(folder)
        found = [fault for check in CHECKS for fault in check(manifests)]
        faults += len(found)
        for fault in found:
            print(f"{folder}: {fault}", file=sys.stderr)
        print(f"{folder}: {len(manifests)} manifests, {len(found)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
