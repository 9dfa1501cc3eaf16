"""Works out from the NetworkPolicies who reaches whom, and holds that to the table in the Kubernetes guide."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.bootstrap import ROOT

Manifest = dict[str, Any]
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
# Pods of other namespaces, whose own policies are not ours to read.
BYSTANDERS = {"monitoring", "neighbour"}
SERVICES = ("auth", "invite", "room-directory", "media-relay", "gateway")
_ROW = re.compile(
    r"^\| (?P<source>[\w-]+) \| (?P<target>[\w-]+) \| (?P<port>\d+)/(?P<protocol>TCP|UDP) \|", re.MULTILINE
)
# What is tried at an address that is no pod of ours.
_OUTSIDE = ((587, "TCP"), (465, "TCP"), (443, "TCP"), (5432, "TCP"), (9090, "TCP"), (40000, "UDP"))

Edge = tuple[str, str, str]


@dataclass(frozen=True)
class End:
    """One side of a connection; without labels it is an address outside of the cluster."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    namespace_labels: dict[str, str] = field(default_factory=dict)
    ports: dict[tuple[int, str], str] = field(default_factory=dict)


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """The label selector rule of Kubernetes; an empty selector matches everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", []):
        has = labels.get(rule["key"])
        operator = rule["operator"]
        if operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            raise ValueError(f"unknown operator {operator}")
        good = {
            "In": has in rule.get("values", []),
            "NotIn": has not in rule.get("values", []),
            "Exists": has is not None,
            "DoesNotExist": has is None,
        }[operator]
        if not good:
            return False
    return True


def is_peer(peer: Manifest, end: End, own_namespace: str) -> bool:
    """Whether an entry of `from` or `to` means this end."""
    if "ipBlock" in peer:
        return not end.namespace
    if not end.namespace:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], end.namespace_labels):
            return False
    elif end.namespace != own_namespace:
        return False
    return matches(peer.get("podSelector", {}), end.labels)


def port_fits(rule: Manifest, port: int, protocol: str, name: str) -> bool:
    """Whether a rule's ports hold this one; a rule without ports holds all."""
    if "ports" not in rule:
        return True
    for each in rule["ports"]:
        if each.get("protocol", "TCP") != protocol:
            continue
        wanted = each.get("port")
        if wanted is None or wanted in (port, name):
            return True
        if isinstance(wanted, int) and wanted <= port <= each.get("endPort", wanted):
            return True
    return False


def lets(policies: list[Manifest], subject: End, other: End, port: tuple[int, str, str], *, outward: bool) -> bool:
    """Whether the policies on one end let the connection pass: none selects it, or a rule of one that does allows."""
    kind, rules, peers = ("Egress", "egress", "to") if outward else ("Ingress", "ingress", "from")
    chosen = [
        policy
        for policy in policies
        if policy["metadata"].get("namespace") == subject.namespace
        and kind in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], subject.labels)
    ]
    if not chosen:
        return True
    return any(
        port_fits(rule, *port)
        and (peers not in rule or any(is_peer(peer, other, subject.namespace) for peer in rule[peers]))
        for policy in chosen
        for rule in policy["spec"].get(rules, [])
    )


def ends(manifests: list[Manifest]) -> list[End]:
    """The services and the bus as the manifests have them; monitoring, the database and the outside as they may be."""
    namespaces = {
        each["metadata"]["name"]: {
            "kubernetes.io/metadata.name": each["metadata"]["name"],
            **each["metadata"]["labels"],
        }
        for each in manifests
        if each["kind"] == "Namespace"
    }
    found = []
    for workload in manifests:
        name = workload["metadata"]["name"]
        if workload["kind"] not in {"Deployment", "StatefulSet"} or name not in {*SERVICES, "nats"}:
            continue
        template, namespace = workload["spec"]["template"], workload["metadata"]["namespace"]
        ports = {
            (port["containerPort"], port.get("protocol", "TCP")): port["name"]
            for container in template["spec"]["containers"]
            for port in container.get("ports", [])
        }
        found.append(End(name, namespace, template["metadata"]["labels"], namespaces[namespace], ports))
    database = {(5432, "TCP"): "postgresql"}
    if any(each["kind"] == "Cluster" for each in manifests):
        labels = {"majlis.dev/database": "true"}
        found.append(End("database", "majlis", labels, namespaces["majlis"], database))
    else:
        found.append(End("database", ports=database))
    found.append(End("monitoring", "monitoring", {"app": "prometheus"}, {"majlis.dev/monitoring": "true"}))
    found.append(End("neighbour", "default", {"app.kubernetes.io/name": "gateway"}, {}))
    found.append(End("outside", ports={port: "" for port in _OUTSIDE if port[0] != 5432}))
    return found


def evaluate(manifests: list[Manifest]) -> set[Edge]:
    """Every connection the policies allow between the ends: source, target, port/protocol."""
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    everybody = ends(manifests)
    allowed = set()
    for source in everybody:
        for target in everybody:
            ours = bool(source.namespace) and source.name not in BYSTANDERS
            if source is target or not (ours or target.namespace):
                continue
            for (number, protocol), name in target.ports.items():
                port = (number, protocol, name)
                goes = not ours or lets(policies, source, target, port, outward=True)
                comes = not target.namespace or lets(policies, target, source, port, outward=False)
                if goes and comes:
                    allowed.add((source.name, target.name, f"{number}/{protocol}"))
    # What is open to the whole world is told once.
    world = {(target, port) for source, target, port in allowed if source == "outside"}
    return {edge for edge in allowed if edge[0] == "outside" or edge[1:] not in world}


def table() -> set[Edge]:
    """The connections the guide tells of."""
    rows = _ROW.finditer(GUIDE.read_text())
    return {(row["source"], row["target"], f"{row['port']}/{row['protocol']}") for row in rows}


def errors(manifests: list[Manifest]) -> Iterator[str]:
    """Connections that are allowed and not told of, and the other way round."""
    there = {end.name for end in ends(manifests)}
    database_is_ours = any(end.name == "database" and end.namespace for end in ends(manifests))
    uses_database = any(each["metadata"]["name"] == "to-database" for each in manifests)
    told = {
        edge
        for edge in table()
        if {edge[0], edge[1]} <= there
        and (uses_database or edge[1] != "database")
        and (database_is_ours or edge[0] != "database")
    }
    found = evaluate(manifests)
    for source, target, port in sorted(found - told):
        yield f"the network lets {source} reach {target} at {port}, which docs/guides/kubernetes.md does not say"
    for source, target, port in sorted(told - found):
        yield f"the network does not let {source} reach {target} at {port}, as docs/guides/kubernetes.md says"
