"""The checks of the Kubernetes manifests find what they are for: each is shown a fault that it must report."""

import copy
import functools
import json
import os
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ops import secrets
from ops.copying import KEEPERS
from tools import lint_network, relay_ports
from tools.bootstrap import VENV
from tools.lint_manifests import (
    CHECKS,
    GUIDE,
    SCHEMAS,
    Manifest,
    folders,
    render,
    schema_errors,
    secrets_of,
    service_of,
)

AUTOSCALING = GUIDE.with_name("kubernetes-autoscaling.md")

# In CI they must run: without it they fail there.
pytestmark = pytest.mark.skipif(
    not (VENV / "bin" / "kubectl").exists() and not shutil.which("kubectl") and not os.environ.get("CI"),
    reason="there is no kubectl",
)


@functools.cache
def rendered(folder: str) -> list[Manifest]:
    return render(folder)


def faults(manifests: list[Manifest], before: list[Manifest] | None = None) -> list[str]:
    """Every fault; schemas are asked only about what differs from `before`, for they take their time."""
    changed = [each for each in manifests if before is None or each not in before]
    others = [check for check in CHECKS if check is not schema_errors]
    return [*schema_errors(changed), *(fault for check in others for fault in check(manifests))]


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(each for each in manifests if each["kind"] == kind and each["metadata"]["name"].startswith(name))


def pod(manifests: list[Manifest], kind: str, name: str) -> Any:
    return find(manifests, kind, name)["spec"]["template"]["spec"]


@pytest.mark.parametrize("folder", folders())
def test_a_folder_of_manifests_has_no_fault(folder: str) -> None:
    assert faults(rendered(folder)) == []


def root_user(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "gateway")["securityContext"]["runAsNonRoot"] = False


def writable_root(manifests: list[Manifest]) -> None:
    pod(manifests, "StatefulSet", "media-relay")["containers"][0]["securityContext"].pop("readOnlyRootFilesystem")


def no_limit(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "auth")["containers"][0]["resources"].pop("limits")


def no_probe(manifests: list[Manifest]) -> None:
    pod(manifests, "StatefulSet", "nats")["containers"][1].pop("livenessProbe")


def liveness_on_others(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "invite")["containers"][0]["livenessProbe"]["httpGet"]["path"] = "/readyz"


def host_port(manifests: list[Manifest]) -> None:
    pod(manifests, "StatefulSet", "media-relay")["containers"][0]["ports"][2]["hostPort"] = 8082


def host_network(manifests: list[Manifest]) -> None:
    pod(manifests, "StatefulSet", "media-relay")["hostNetwork"] = True


def token(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "auth")["automountServiceAccountToken"] = True


def service_links(manifests: list[Manifest]) -> None:
    pod(manifests, "StatefulSet", "media-relay").pop("enableServiceLinks")


def number_beside_an_autoscaler(manifests: list[Manifest]) -> None:
    find(manifests, "StatefulSet", "media-relay")["spec"]["replicas"] = 1


def no_budget(manifests: list[Manifest]) -> None:
    manifests.remove(find(manifests, "PodDisruptionBudget", "gateway"))


def weaker_namespace(manifests: list[Manifest]) -> None:
    find(manifests, "Namespace", "majlis")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"


def one_directory(manifests: list[Manifest]) -> None:
    find(manifests, "Deployment", "room-directory")["spec"]["replicas"] = 1


def unknown_field(manifests: list[Manifest]) -> None:
    find(manifests, "Service", "gateway")["spec"]["prots"] = []


def unknown_setting(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "gateway-settings")["data"]["GATEWAY_COLOUR"] = "green"


def unexplained_setting(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "gateway-settings")["data"].pop("GATEWAY_LOG_FORMAT")


def everybody_a_proxy(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "gateway")["spec"]["ingress"][0].pop("from")


def mail_of_old(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "auth")["spec"]["egress"].append({"ports": [{"port": 25, "protocol": "TCP"}]})


def lonely_servers(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "nats")["spec"]["egress"].clear()


def two_backups(manifests: list[Manifest]) -> None:
    find(manifests, "Deployment", "ops")["spec"].pop("strategy")


def missing_setting(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "auth-settings")["data"].pop("AUTH_OWNER_LINK_FILE")


def other_port(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "media-relay-settings")["data"]["MEDIA_RELAY_BIND"] = "0.0.0.0:8083"


def nobody_there(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "gateway-settings")["data"]["GATEWAY_INVITE_ADDRESS"] = "invites:9090"


def file_nowhere(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "invite-settings")["data"]["INVITE_CODE_SECRET_FILE"] = "/var/lost"


def untold_secret(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "auth")["volumes"][0]["secret"]["secretName"] = "majlis-surprise"


def no_target(manifests: list[Manifest]) -> None:
    find(manifests, "Service", "auth")["spec"]["selector"] = {"app.kubernetes.io/name": "oauth"}


def one_relay_more(manifests: list[Manifest]) -> None:
    find(manifests, "HorizontalPodAutoscaler", "media-relay")["spec"]["maxReplicas"] += 1


def open_wall(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "auth")["spec"]["ingress"].append({"ports": [{"port": 9090, "protocol": "TCP"}]})


def other_metric(manifests: list[Manifest]) -> None:
    metric = find(manifests, "HorizontalPodAutoscaler", "media-relay")["spec"]["metrics"][0]["pods"]["metric"]
    metric["name"] = "majlis_media_relay_mood_ratio"


def hasty_stop(manifests: list[Manifest]) -> None:
    pod(manifests, "Deployment", "gateway")["containers"][0].pop("lifecycle")


def endless_drain(manifests: list[Manifest]) -> None:
    find(manifests, "ConfigMap", "media-relay-settings")["data"]["MEDIA_RELAY_DRAIN_SECONDS"] = "170"


def no_wall(manifests: list[Manifest]) -> None:
    manifests.remove(find(manifests, "NetworkPolicy", "nats"))


FAULTS: dict[Callable[[list[Manifest]], None], str] = {
    root_user: "not root",
    writable_root: "read-only",
    no_limit: "memory limit",
    no_probe: "livenessProbe",
    liveness_on_others: "probes ask",
    host_port: "port of its node",
    host_network: "hostNetwork",
    token: "token",
    service_links: "variable for each Service",
    number_beside_an_autoscaler: "undo at each apply",
    no_budget: "disruption budget",
    weaker_namespace: "enforces baseline",
    one_directory: "has a single copy",
    unknown_field: "prots",
    unknown_setting: "GATEWAY_COLOUR",
    unexplained_setting: "GATEWAY_LOG_FORMAT is not given",
    everybody_a_proxy: "lets outside reach gateway at 8080/TCP",
    mail_of_old: "lets auth reach outside at 25/TCP",
    lonely_servers: "does not let nats reach nats at 6222/TCP",
    two_backups: "one backup at a time",
    missing_setting: "AUTH_OWNER_LINK_FILE must be given",
    other_port: "opens 8083",
    nobody_there: "leads to no Service",
    file_nowhere: "on no volume",
    untold_secret: "majlis-surprise",
    no_target: "selects no pod",
    one_relay_more: "ports for 8",
    open_wall: "lets outside reach auth",
    other_metric: "the adapter makes no",
    hasty_stop: "stops before calls go elsewhere",
    endless_drain: "more than its grace period",
    no_wall: "does not let gateway reach nats",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_put_into_the_manifests_is_reported(fault: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(rendered("k8s/overlays/production"))
    fault(manifests)
    found = faults(manifests, rendered("k8s/overlays/production"))
    assert any(FAULTS[fault] in each for each in found), found


def test_a_field_of_an_operator_s_kind_that_we_do_not_know_is_reported() -> None:
    manifests = copy.deepcopy(rendered("k8s/overlays/operators"))
    find(manifests, "ScaledObject", "media-relay")["spec"]["minReplicas"] = 2
    assert any("minReplicas" in each for each in faults(manifests, rendered("k8s/overlays/operators")))


def misspelt_trigger(manifests: list[Manifest]) -> None:
    told = find(manifests, "ScaledObject", "media-relay")["spec"]["triggers"][0]["metadata"]
    told["treshold"] = told.pop("threshold")


def schedule(**changed: str) -> Callable[[list[Manifest]], None]:
    """Adds the guide's example of a room that is announced, with some of it changed."""

    def add(manifests: list[Manifest]) -> None:
        (trigger,) = yaml.safe_load(AUTOSCALING.read_text().split("```yaml\n")[1].split("```")[0])
        trigger["metadata"] |= changed
        find(manifests, "ScaledObject", "media-relay")["spec"]["triggers"].append(trigger)

    return add


def schedule_that_never_comes(manifests: list[Manifest]) -> None:
    schedule(timezone="Asia/Atlantis")(manifests)


def schedule_that_wants_too_much(manifests: list[Manifest]) -> None:
    schedule(desiredReplicas="80")(manifests)


def unrecorded_series(manifests: list[Manifest]) -> None:
    told = find(manifests, "ScaledObject", "media-relay")["spec"]["triggers"][0]["metadata"]
    told["query"] = "avg(majlis:media_relay_mood:ratio)"


OPERATOR_FAULTS: dict[Callable[[list[Manifest]], None], str] = {
    misspelt_trigger: "does not know treshold",
    schedule_that_never_comes: "no time zone",
    schedule_that_wants_too_much: "at most 8",
    unrecorded_series: "nobody records",
}


@pytest.mark.parametrize("fault", OPERATOR_FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_put_into_what_operators_read_is_reported(fault: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(rendered("k8s/overlays/operators"))
    fault(manifests)
    found = faults(manifests, rendered("k8s/overlays/operators"))
    assert any(OPERATOR_FAULTS[fault] in each for each in found), found


def test_the_guide_s_example_of_a_room_that_is_announced_is_one_that_keda_takes() -> None:
    manifests = copy.deepcopy(rendered("k8s/overlays/operators"))
    schedule()(manifests)
    assert faults(manifests, rendered("k8s/overlays/operators")) == []


def test_nobody_scales_for_a_room_that_an_operator_did_not_announce_or_takes_relays_away_when_blind() -> None:
    scaled = find(rendered("k8s/overlays/operators"), "ScaledObject", "media-relay")["spec"]
    assert [trigger["type"] for trigger in scaled["triggers"]] == ["prometheus"]
    assert scaled["fallback"]["behavior"] == "currentReplicasIfHigher"


def injected(services: list[Manifest], namespace: str) -> dict[str, str]:
    """The variables that Kubernetes gives a pod that takes service links: Services with an address, by their name."""
    given: dict[str, str] = {}
    for each in services:
        name = each["metadata"]["name"].replace("-", "_").upper()
        if each["metadata"]["namespace"] == namespace and each["spec"].get("clusterIP") != "None":
            given |= {f"{name}_SERVICE_HOST": "10.0.0.1", f"{name}_PORT": "tcp://10.0.0.1:80"}
    return given


@pytest.mark.parametrize("folder", folders())
def test_a_pod_gets_no_variable_that_its_service_would_refuse_as_an_unknown_setting(folder: str) -> None:
    manifests = rendered(folder)
    services = [each for each in manifests if each["kind"] == "Service"]
    refused = []
    for workload in (each for each in manifests if service_of(each)):
        given = injected(services, workload["metadata"]["namespace"])
        prefix = f"{service_of(workload)}_".upper()
        refused += [name for name in given if name.startswith(prefix)]
        assert workload["spec"]["template"]["spec"]["enableServiceLinks"] is False
    assert refused, "Kubernetes would set none of ours: then nothing of this is needed"


@pytest.mark.parametrize("folder", folders())
def test_every_kind_of_an_operator_is_checked_against_the_schema_of_a_release(folder: str) -> None:
    for manifest in rendered(folder):
        if "." in manifest["apiVersion"] and not manifest["apiVersion"].split("/")[0].endswith("k8s.io"):
            schema = json.loads((SCHEMAS / f"{manifest['kind'].lower()}.json").read_text())
            assert schema["properties"]["apiVersion"] == {"const": manifest["apiVersion"]}
            assert "@v" in schema["$comment"]


def test_a_pod_that_only_carries_our_labels_reaches_nothing_private() -> None:
    edges = lint_network.evaluate(rendered("k8s/overlays/hostnetwork"))
    assert not [edge for edge in edges if edge[0] == "neighbour"]
    assert ("room-directory", "media-relay", "9090/TCP") in edges


def test_the_database_s_own_operator_and_monitoring_reach_it_and_a_neighbour_does_not() -> None:
    edges = lint_network.evaluate(rendered("k8s/overlays/operators"))
    to_database = {(source, port) for source, target, port in edges if target == "database"}
    assert {("monitoring", "9187/TCP"), ("cnpg-system", "8000/TCP"), ("ops", "5432/TCP")} <= to_database
    assert not [source for source, _ in to_database if source in {"neighbour", "gateway", "media-relay"}]


def test_a_server_of_the_bus_lets_its_clients_go_before_it_ends() -> None:
    spec = pod(rendered("k8s/overlays/production"), "StatefulSet", "nats")
    server = spec["containers"][0]
    file = server["args"][server["args"].index("-P") + 1]
    assert server["lifecycle"]["preStop"]["exec"]["command"] == ["nats-server", f"-sl=ldm={file}"]
    assert any(file.startswith(f"{mount['mountPath']}/") for mount in server["volumeMounts"])
    config = find(rendered("k8s/overlays/production"), "ConfigMap", "nats-config")["data"]["nats.conf"]
    seconds = [int(found) for found in re.findall(r'lame_duck_\w+: "(\d+)s"', config)]
    assert len(seconds) == 2
    assert sum(seconds) < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("folder", ["k8s/overlays/small", "k8s/overlays/production", "k8s/overlays/hostnetwork"])
def test_the_operator_s_pod_has_every_database_where_it_is_told_of_it(folder: str) -> None:
    ops, manifests = pod(rendered(folder), "Deployment", "ops")["containers"][0], rendered(folder)
    (given,) = [entry["value"] for entry in ops["env"] if entry["name"] == "MAJLIS_DATABASES"]
    places = dict(each.partition("=")[::2] for each in given.split(","))
    assert tuple(places) == KEEPERS
    mounts = [mount["mountPath"] for mount in ops["volumeMounts"]]
    for keeper, place in places.items():
        path = "/" + place.split(":////")[-1].lstrip("/")
        assert any(path.startswith(f"{mount}/") for mount in mounts), place
        if place.startswith("sqlite"):
            own = find(manifests, "ConfigMap", f"{keeper.replace('_', '-')}-settings")["data"]
            assert own[f"{keeper.upper()}_DATABASE_URL"].rsplit("/", 1)[1] == place.rsplit("/", 1)[1]
    assert ops["args"][:2] == ["majlis", "backup"]


def test_a_relay_s_namespace_of_its_own_needs_only_the_secrets_that_are_made_for_it() -> None:
    spec = pod(rendered("k8s/overlays/hostnetwork"), "StatefulSet", "media-relay")
    assert {name for volume in spec["volumes"] for name in secrets_of(volume)} == secrets.mounted_by("media-relay")


def test_relays_of_another_namespace_are_the_only_ones_with_ports_of_their_node() -> None:
    for folder in folders():
        with_ports = [each["metadata"]["namespace"] for each in rendered(folder) if "hostPort" in str(each)]
        assert with_ports == (["majlis-media"] if folder.endswith("hostnetwork") else [])


def test_the_guide_tells_what_pods_ask_for() -> None:
    section = GUIDE.read_text().split("## What pods ask for")[1].split("##")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:5]] for line in section.splitlines() if line.startswith("| ")]
    told = {name: (cpu, memory, limit) for name, cpu, memory, limit in rows[1:]}
    asked = {}
    for each in rendered("k8s/overlays/production"):
        name = each["metadata"]["name"]
        if each["kind"] in {"Deployment", "StatefulSet"} and name != "nats":
            resources = each["spec"]["template"]["spec"]["containers"][0]["resources"]
            requests = resources["requests"]
            asked[name] = (str(requests["cpu"]), requests["memory"], resources["limits"]["memory"])
    assert told == asked


def test_the_relay_ports_in_the_repository_are_what_the_autoscaler_s_maximum_makes() -> None:
    assert relay_ports.main(["check"]) == 0
