"""Holds every pod of the manifests to the restricted security standard, to probes, limits and disruption budgets."""

from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
# Why a service may have one copy; CloudNativePG's pods are its own and not looked at.
SINGLE_COPY = {
    "ops": "one backup at a time",
}


def errors(manifests: list[Manifest]) -> Iterator[str]:
    """Every finding."""
    standards = {
        each["metadata"]["name"]: each["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for each in manifests
        if each["kind"] == "Namespace"
    }
    workloads = [each for each in manifests if each["kind"] in WORKLOADS]
    for workload in workloads:
        name = f"{workload['kind']}/{workload['metadata']['name']}"
        host_ports = standards.get(workload["metadata"].get("namespace", "")) == "privileged"
        pod = workload["spec"]["template"]["spec"]
        findings = [*pod_findings(pod, host_ports=host_ports)]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            findings += [f"{container['name']}: {each}" for each in container_findings(container, host_ports)]
        if workload["kind"] == "Deployment" and workload["spec"].get("strategy", {}).get("type") != "Recreate":
            findings += [
                f"{each['name']}: stops before calls go elsewhere" for each in pod["containers"] if not pauses(each)
            ]
        yield from (f"{name}: {finding}" for finding in findings)
    yield from budget_errors(manifests, workloads)
    for namespace, standard in standards.items():
        hosted = [each for each in workloads if each["metadata"].get("namespace") == namespace]
        if standard != "restricted" and not any("hostPort" in str(each) for each in hosted):
            yield f"Namespace/{namespace}: enforces {standard} though nothing in it needs that"


def pauses(container: Manifest) -> bool:
    """Whether a container that is told to go serves on until Services have forgotten its pod."""
    return bool(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds"))


def pod_findings(pod: Manifest, *, host_ports: bool) -> Iterator[str]:
    """What is wrong with a pod as a whole."""
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "must run as a user that is not root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "must have the runtime's seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "must not be given a token of the API server"
    if pod.get("enableServiceLinks") is not False:
        yield "must not get a variable for each Service (enableServiceLinks): settings that are unknown stop a service"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"must not have {key}"
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume {volume['name']} is a folder of the node"
        if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
            yield f"volume {volume['name']} has no bound"
    if not host_ports and any(port.get("hostPort") for each in pod["containers"] for port in each.get("ports", [])):
        yield "takes a port of its node outside of the namespace for that"
    if not pod.get("affinity", {}).get("podAntiAffinity"):
        yield "its copies may all land on one node"


def container_findings(container: Manifest, host_ports: bool) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root must be read-only"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain rights"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        yield "keeps capabilities"
    resources = container.get("resources", {})
    if not resources.get("limits", {}).get("memory"):
        yield "has no memory limit"
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "asks for no CPU or memory"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe not in container:
            yield f"has no {probe}"
    yield from probe_findings(container)
    allowed = {"media", "media-tcp"} if host_ports else set()
    for port in container.get("ports", []):
        if port.get("hostPort") and port["name"] not in allowed:
            yield f"takes the node's port {port['hostPort']} for {port['name']}"


def probe_findings(container: Manifest) -> Iterator[str]:
    """Ours: alive when the loop turns, ready when it can serve; liveness that asked others would restart everybody."""
    ours = container["image"].split("/")[-1].startswith("majlis-")
    paths = {
        kind: container.get(kind, {}).get("httpGet", {}).get("path")
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    wanted = {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    if ours and paths != wanted:
        yield f"its probes ask {paths}"
    if ":" not in container["image"].split("/")[-1] and "/" in container["image"]:
        yield f"image {container['image']} has no tag"
    if container["image"].endswith(":latest"):
        yield "its image changes under it"


def budget_errors(manifests: list[Manifest], workloads: list[Manifest]) -> Iterator[str]:
    """Workloads without a disruption budget, and services with a single copy that nobody explained."""
    budgets = [each["spec"]["selector"]["matchLabels"] for each in manifests if each["kind"] == "PodDisruptionBudget"]
    claims = {each["metadata"]["name"] for each in manifests if each["kind"] == "PersistentVolumeClaim"}
    small = "auth-data" in claims
    for workload in workloads:
        labels, name = workload["spec"]["template"]["metadata"]["labels"], workload["metadata"]["name"]
        if not any(budget.items() <= labels.items() for budget in budgets):
            yield f"{workload['kind']}/{name}: has no disruption budget"
        single = workload["kind"] == "Deployment" and workload["spec"].get("replicas", 1) < 2
        if single and not small and name not in SINGLE_COPY:
            yield f"{workload['kind']}/{name}: has a single copy"
        recreated = workload["spec"].get("strategy", {}).get("type") == "Recreate"
        if name in SINGLE_COPY and not recreated:
            yield f"{workload['kind']}/{name}: two copies would run at each update ({SINGLE_COPY[name]})"
