"""Applies every overlay to a real control plane and says what it warns of or refuses."""

import copy
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tools import crd_schemas
from tools.cluster.control_plane import Kubectl, control_plane
from tools.cluster.programs import KUBERNETES, built
from tools.lint_manifests import folders, render

Manifest = dict[str, Any]

EXPECTED = {
    "k8s/overlays/hostnetwork": ("hostPort",),
}
"""Words of warnings that an overlay is known to cause: its guide says why."""
DELETE_SECONDS = 60
DELETE = ("delete", "--wait=true", f"--timeout={DELETE_SECONDS}s", "-f", "-")
APPLY = ("apply", "--server-side", "--field-manager=majlis", "--validate=strict", "-f", "-")


def as_list(manifests: list[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The pod each workload would make: its rules are about pods, and no controller runs here to make them."""
    for each in manifests:
        if each["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        template = each["spec"]["template"]
        spec = copy.deepcopy(template["spec"])
        for claim in each["spec"].get("volumeClaimTemplates", []):
            name = claim["metadata"]["name"]
            spec["volumes"] = [*spec.get("volumes", []), {"name": name, "persistentVolumeClaim": {"claimName": name}}]
        name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
        metadata = {"name": f"{name}-0", "namespace": namespace, "labels": template["metadata"]["labels"]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def faults_of(kubectl: Kubectl, folder: str, render: Callable[[str], list[Manifest]] = render) -> tuple[int, list[str]]:
    """How many manifests a folder has, and what the control plane says against them."""
    manifests = render(folder)
    namespaces = [each for each in manifests if each["kind"] == "Namespace"]
    rest = [each for each in manifests if each["kind"] != "Namespace"]
    told = kubectl.faults(*APPLY, given=as_list(namespaces))
    told += kubectl.faults(*APPLY, given=as_list(rest))
    # What the API server made of it is what was asked for: a second time changes nothing.
    if kubectl("diff", "--server-side", "--field-manager=majlis", "-f", "-", given=as_list(rest)).returncode:
        told.append("applied once more it would change something")
    for pod in pods(manifests):
        said = kubectl.faults("create", "--dry-run=server", "--validate=strict", "-f", "-", given=json.dumps(pod))
        told += [f"pod of {pod['metadata']['name'].removesuffix('-0')}: {line}" for line in said]
    # The next folder has things of the same names, and what is still being deleted cannot be applied.
    told += kubectl.faults(*DELETE, given=as_list(rest))
    known = EXPECTED.get(folder, ())
    return len(manifests), [line for line in told if not any(word in line for word in known)]


def planted(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """(what is wrong, a manifest that must be refused): a control plane that takes these checks nothing."""
    pod = next(pods(manifests))
    privileged = copy.deepcopy(pod)
    privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    yield "a privileged pod in a restricted namespace", privileged
    root = copy.deepcopy(pod)
    root["spec"]["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}
    yield "a pod that runs as root", root
    scaled = copy.deepcopy(next(each for each in manifests if each["kind"] == "ScaledObject"))
    scaled["spec"]["maxReplicas"] = scaled["spec"].pop("maxReplicaCount")
    yield "a field that KEDA does not have", scaled
    cluster = copy.deepcopy(next(each for each in manifests if each["kind"] == "Cluster"))
    cluster["spec"]["instances"] = 0
    yield "a database cluster without instances", cluster
    workload = copy.deepcopy(next(each for each in manifests if each["kind"] == "StatefulSet"))
    workload["metadata"]["name"] = "elsewhere"
    workload["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "somebody-else"}
    yield "a workload that does not choose its own pods", workload


def main() -> int:
    """Applies each folder to one control plane; returns how many faults there are."""
    count = 0
    with control_plane(built()) as kubectl:
        print(f"control plane {KUBERNETES} runs", flush=True)
        for release in crd_schemas.RELEASES:
            wanted = list(crd_schemas.definitions(release).values())
            found = kubectl.faults("apply", "--server-side", "-f", "-", given=as_list(wanted))
            names = [each["metadata"]["name"] for each in wanted]
            found += kubectl.faults("wait", "--for=condition=Established", "crd", *names, "--timeout=30s")
            count += len(found)
            print(f"{release.name} {release.version}: {len(wanted)} kinds", *found, sep="\n  ", flush=True)
        for folder in folders():
            manifests, found = faults_of(kubectl, folder)
            count += len(found)
            print(f"{folder}: {manifests} manifests applied, {len(found)} faults", *found, sep="\n  ", flush=True)
        everything = [each for each in render("k8s/overlays/operators") if each["kind"] != "ConfigMap"]
        kubectl(*APPLY, given=as_list([each for each in everything if each["kind"] == "Namespace"]))
        kubectl(*APPLY, given=as_list(everything))
        for wrong, manifest in planted([each for each in everything if "spec" in each]):
            done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=json.dumps(manifest))
            if done.returncode == 0:
                count += 1
                print(f"{wrong}: accepted")
            else:
                print(f"{wrong}: refused")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
