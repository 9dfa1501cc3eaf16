"""Checks what the schemas of operators leave open: triggers, the adapter's rules, the time a pod has to stop."""

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import available_timezones

import yaml

from tools.bootstrap import ROOT

Manifest = dict[str, Any]

# Of KEDA v2.21 (pkg/scalers): what a trigger must be told, and what it may be told. Its schema takes any word here.
TRIGGERS = {
    "prometheus": (
        {"serverAddress", "query", "threshold"},
        {
            "queryParameters",
            "activationThreshold",
            "namespace",
            "customHeaders",
            "ignoreNullValues",
            "unsafeSsl",
            "timeout",
        },
    ),
    "cron": ({"timezone", "start", "end", "desiredReplicas"}, set()),
}
CRON = re.compile(r"^([\d*/,-]+ ){4}[\d*/,-]+$")
RECORDED = re.compile(r"\bmajlis:[a-z_]+:[a-z_]+\b")
STOP_MARGIN_SECONDS = 20
"""From the end of a drain to the end of the process: last reports, connections closed."""


def errors(manifests: list[Manifest]) -> Iterator[str]:
    """Every finding."""
    for each in manifests:
        if each["kind"] == "ScaledObject":
            yield from trigger_errors(each)
        if each["kind"] == "ScaledObject" or each["kind"] == "ConfigMap":
            yield from rule_errors(each)
    yield from metric_errors(manifests)
    yield from stop_errors(manifests)


def trigger_errors(scaled: Manifest) -> Iterator[str]:
    """Triggers that KEDA would refuse, or that ask for more than the autoscaler may make."""
    most = scaled["spec"]["maxReplicaCount"]
    for trigger in scaled["spec"]["triggers"]:
        kind, told = trigger["type"], trigger["metadata"]
        if kind not in TRIGGERS:
            yield f"ScaledObject: trigger {kind} is not one of {', '.join(TRIGGERS)}"
            continue
        needed, possible = TRIGGERS[kind]
        for word in sorted(needed - told.keys()):
            yield f"ScaledObject: trigger {kind} needs {word}"
        for word in sorted(told.keys() - needed - possible):
            yield f"ScaledObject: trigger {kind} does not know {word}"
        if kind == "cron" and needed <= told.keys():
            yield from cron_errors(told, most)


def cron_errors(told: dict[str, str], most: int) -> Iterator[str]:
    """A schedule that never comes, or wants too much."""
    if told["timezone"] not in available_timezones():
        yield f"ScaledObject: {told['timezone']} is no time zone"
    for end in ("start", "end"):
        if not CRON.match(told[end]):
            yield f"ScaledObject: {end} {told[end]!r} is no schedule of five fields"
    if told["start"] == told["end"]:
        yield "ScaledObject: the schedule ends when it begins"
    if int(told["desiredReplicas"]) > most:
        yield f"ScaledObject: the schedule wants {told['desiredReplicas']} relays, at most {most} are allowed"


def recorded() -> set[str]:
    """The series that Prometheus records."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    return {rule["record"] for group in rules["groups"] for rule in group["rules"]}


def rule_errors(manifest: Manifest) -> Iterator[str]:
    """Recorded series that an autoscaler reads and nobody records."""
    for name in sorted(set(RECORDED.findall(str(manifest.get("spec", manifest.get("data"))))) - recorded()):
        yield f"{manifest['kind']}/{manifest['metadata']['name']}: nobody records {name}"


def metric_errors(manifests: list[Manifest]) -> Iterator[str]:
    """Metrics that an HPA reads and the adapter's rules do not make."""
    made: set[str] = set()
    for each in manifests:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "majlis-adapter-rules":
            made |= {rule["name"]["as"] for rule in yaml.safe_load(each["data"]["config.yaml"])["rules"]}
    for each in manifests:
        if each["kind"] == "HorizontalPodAutoscaler":
            for metric in each["spec"]["metrics"]:
                name = metric.get("pods", {}).get("metric", {}).get("name")
                if name is not None and name not in made:
                    yield f"HorizontalPodAutoscaler/{each['metadata']['name']}: the adapter makes no {name}"


def stop_errors(manifests: list[Manifest]) -> Iterator[str]:
    """A drain that Kubernetes would cut off."""
    maps = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    for each in manifests:
        if each["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        pod = each["spec"]["template"]["spec"]
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                for name, value in maps.get(source["configMapRef"]["name"], {}).items():
                    needed = float(value) + STOP_MARGIN_SECONDS if name.endswith("_DRAIN_SECONDS") else 0
                    if needed > pod["terminationGracePeriodSeconds"]:
                        yield f"{each['metadata']['name']}: {name}={value} is more than its grace period allows"
