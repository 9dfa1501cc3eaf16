"""Works out from the NetworkPolicies who reaches whom, and holds that to the table in the Kubernetes guide."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.bootstrap import ROOT

Manifest = dict[str, Any]
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
# Pods of other namespaces, whose own policies are not ours to read: name to the labels of their namespace.
BYSTANDERS = {
    "monitoring": {"majlis.dev/monitoring": "true"},
    "ingress": {"kubernetes.io/metadata.name": "ingress-nginx"},
    "cnpg-system": {"kubernetes.io/metadata.name": "cnpg-system"},
    "neighbour": {},
}
PARTS = ("auth", "invite", "room-directory", "media-relay", "gateway", "nats", "ops")
# CloudNativePG's pods, which no manifest of ours describes: PostgreSQL, the operator's own port, metrics.
_DATABASE = {(5432, "TCP"): "postgresql", (8000, "TCP"): "status", (9187, "TCP"): "metrics"}
_ROW = re.compile(
    r"^\| (?P<source>[\w-]+) \| (?P<target>[\w-]+) \| (?P<port>\d+)/(?P<protocol>TCP|UDP) \|", re.MULTILINE
)
# What is tried at an address that is no pod of ours, besides every port that some policy names.
_ELSEWHERE = ((9, "TCP"), (9090, "TCP"), (40000, "TCP"), (40000, "UDP"))

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


def tried_outside(manifests: list[Manifest]) -> Iterator[tuple[int, str]]:
    """Ports of the outside that are worth a try: a rule that opens one names it, and one that opens all opens these."""
    yield from _ELSEWHERE
    for policy in (each for each in manifests if each["kind"] == "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for port in rule.get("ports", []):
                # A range is tried in its middle: one row of the table tells of all of it.
                if isinstance(port.get("port"), int) and "endPort" not in port:
                    yield port["port"], port.get("protocol", "TCP")


def ends(manifests: list[Manifest]) -> list[End]:
    """The parts as the manifests have them; who else there may be, the database and the outside as they may be."""
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
        if workload["kind"] not in {"Deployment", "StatefulSet"} or name not in PARTS:
            continue
        template, namespace = workload["spec"]["template"], workload["metadata"]["namespace"]
        ports = {
            (port["containerPort"], port.get("protocol", "TCP")): port["name"]
            for container in template["spec"]["containers"]
            for port in container.get("ports", [])
        }
        found.append(End(name, namespace, template["metadata"]["labels"], namespaces[namespace], ports))
    outside = dict.fromkeys(tried_outside(manifests), "")
    if any(each["kind"] == "Cluster" for each in manifests):
        labels = {"majlis.dev/database": "true"}
        found.append(End("database", "majlis", labels, namespaces["majlis"], _DATABASE))
    else:
        # The database is outside: whoever reaches one reaches the other at its port.
        outside.pop((5432, "TCP"), None)
        found.append(End("database", ports={(5432, "TCP"): "postgresql"}))
    for name, labels in BYSTANDERS.items():
        # Labels like ours, for those are anybody's to take.
        found.append(End(name, name, {"app.kubernetes.io/name": "gateway"}, labels))
    found.append(End("outside", ports=outside))
    return found


def evaluate(manifests: list[Manifest]) -> set[Edge]:
    """Every connection the policies allow between the ends: source, target, port/protocol."""
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    everybody = ends(manifests)
    allowed = set()
    for source in everybody:
        for target in everybody:
            ours = bool(source.namespace) and source.name not in BYSTANDERS
            # One of a part's pods to another one is a connection like others.
            if not (ours or target.namespace):
                continue
            for (number, protocol), name in target.ports.items():
                port = (number, protocol, name)
                goes = not ours or lets(policies, source, target, port, outward=True)
                comes = not target.namespace or lets(policies, target, source, port, outward=False)
                if goes and comes:
                    allowed.add((source.name, target.name, f"{number}/{protocol}"))
    # What is open to the whole world is told once.
    world = {(target, port) for source, target, port in allowed if source == "outside"}
    told = {edge for edge in allowed if edge[0] == "outside" or edge[1:] not in world}
    # So is what may send to any UDP port.
    anywhere = {source for source, target, port in told if (target, port) == ("outside", "40000/UDP")}
    return {
        (source, target, port)
        for source, target, port in told
        if target != "outside" or source not in anywhere or port == "40000/UDP" or port.endswith("/TCP")
    }


def table() -> set[Edge]:
    """The connections the guide tells of."""
    rows = _ROW.finditer(GUIDE.read_text())
    return {(row["source"], row["target"], f"{row['port']}/{row['protocol']}") for row in rows}


def concerns(edge: Edge, manifests: list[Manifest]) -> bool:
    """Whether a row of the table is about these manifests: its ends are there, with that port."""
    source, target, port = edge
    there = {end.name: end for end in ends(manifests)}
    if not {source, target} <= there.keys():
        return False
    if target == "gateway" and source in {"outside", "ingress"}:
        return (source == "ingress") == any(each["kind"] == "Ingress" for each in manifests)
    if "database" in {source, target}:
        uses = any(each["metadata"]["name"] == "to-database" for each in manifests)
        if not uses or (source in {"database", *BYSTANDERS} and not there["database"].namespace):
            return False
    # One NATS server has no port for others, and of a database elsewhere only its own port is known.
    number, protocol = port.split("/")
    return target not in {"database", "nats"} or (int(number), protocol) in there[target].ports


def errors(manifests: list[Manifest]) -> Iterator[str]:
    """Connections that are allowed and not told of, and the other way round."""
    found, told = evaluate(manifests), {edge for edge in table() if concerns(edge, manifests)}
    for source, target, port in sorted(found - told):
        yield f"the network lets {source} reach {target} at {port}, which docs/guides/kubernetes.md does not say"
    for source, target, port in sorted(told - found):
        yield f"the network does not let {source} reach {target} at {port}, as docs/guides/kubernetes.md says"
