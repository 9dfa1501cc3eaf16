"""Rules, alerts, runbooks and dashboards: every expression is valid and reads metrics that the code exports."""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import alert_rules
from tools.metric_names import exported, read_by

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
BOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"] for rule in group["rules"]]


ALERTS = rules("alerts.yml")
RECORDED = rules("rules.yml")


@cache
def known() -> frozenset[str]:
    """Metrics of the code, of the exporters beside it, and what rules record."""
    outside = json.loads((PROMETHEUS / "external_metrics.json").read_text())
    return frozenset(exported() | {n for names in outside.values() for n in names} | {r["record"] for r in RECORDED})


@cache
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not here (Debian package prometheus): in CI the alert tests must run")
        pytest.skip("promtool is not here: install the Debian package prometheus")
    return found


def check(*arguments: str | Path) -> None:
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions(board: Path) -> list[str]:
    return [target["expr"] for panel in json.loads(board.read_text())["panels"] for target in panel["targets"]]


def test_prometheus_accepts_the_rules_and_the_configuration(tmp_path: Path) -> None:
    for name in ("rules.yml", "alerts.yml"):
        check("check", "rules", PROMETHEUS / name)
    config = (PROMETHEUS / "prometheus.yml").read_text().replace("/etc/prometheus", str(PROMETHEUS))
    (tmp_path / "prometheus.yml").write_text(config)
    check("check", "config", tmp_path / "prometheus.yml")


def test_every_alert_fires_on_its_fault_and_stays_silent_otherwise() -> None:
    check("test", "rules", PROMETHEUS / "alerts_test.yml")


def test_every_alert_is_tested_both_ways() -> None:
    cases: dict[str, set[bool]] = {}
    for test in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]:
        for case in test["alert_rule_test"]:
            cases.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert cases == {alert["alert"]: {True, False} for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_who_is_woken_and_has_a_runbook(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page.is_file()
    text = page.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    for part in ("What it means", "Look at", "Do", "Rolling back"):
        assert f"**{part}.**" in text
    assert alert["expr"] in text, "the page shows another expression"


def test_no_runbook_is_without_its_alert() -> None:
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert pages == {Path(alert["annotations"]["runbook_url"]).name for alert in ALERTS}


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED], ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_reads_only_metrics_that_exist(rule: dict[str, Any]) -> None:
    names = read_by(rule["expr"])
    assert names
    assert names <= known(), names - known()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_reads_only_metrics_that_exist(board: Path) -> None:
    assert expressions(board)
    for expression in expressions(board):
        names = read_by(expression)
        assert names, expression
        assert names <= known(), f"{expression} reads {names - known()}"


def test_prometheus_can_parse_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    found = [
        {"record": f"panel:{board.stem.replace('-', '_')}:{number}", "expr": expression}
        for board in BOARDS
        for number, expression in enumerate(expressions(board))
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": found}]}))
    check("check", "rules", tmp_path / "panels.yml")


def test_there_is_a_dashboard_for_each_part_an_operator_asks_about() -> None:
    wanted = {"overview", "rooms", "relays", "gateway", "sign-in", "nats", "database"}
    assert {board.stem for board in BOARDS} == wanted
    uids = [json.loads(board.read_text())["uid"] for board in BOARDS]
    assert len(set(uids)) == len(uids)


def test_jobs_named_in_expressions_are_scraped() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    jobs = {each["job_name"] for each in config}
    texts = [rule["expr"] for rule in [*ALERTS, *RECORDED]] + [e for board in BOARDS for e in expressions(board)]
    named = {job for text in texts for match in re.findall(r'job=~?"([^"]+)"', text) for job in match.split("|")}
    assert named <= jobs


def metrics_port(part: str) -> str:
    """The port a container serves metrics on, from what really decides it: our setting, or the program's own flag."""
    container = COMPOSE[part]
    listen = container.get("environment", {}).get(f"{part.replace('-', '_').upper()}_METRICS_LISTEN")
    if listen:
        return str(listen).rsplit(":", 1)[1]
    words = " ".join(container["command"])
    flag = {"postgres-exporter": r"--web\.listen-address=\S*:(\d+)", "nats-exporter": r"-port (\d+)"}
    found = re.search(flag.get(part, r"--metrics=\S*:(\d+)"), words)
    assert found is not None, f"{part} is not told where to listen"
    return found[1]


def test_prometheus_scrapes_the_ports_that_containers_listen_on() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    for each in config["scrape_configs"]:
        host, port = each["static_configs"][0]["targets"][0].split(":")
        assert metrics_port(host) == port, host
    (manager,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    host, port = manager.split(":")
    assert COMPOSE[host]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_pages_and_tickets_go_to_receivers_that_are_there() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text())
    receivers = {each["name"] for each in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
    assert routes[1]["matchers"] == ['severity="page"']
    source = (ROOT / "deploy" / "alertmanager").relative_to(ROOT / "deploy")
    assert any(f"./{source}/alertmanager.yml" in volume for volume in COMPOSE["alertmanager"]["volumes"])


def test_metric_names_keep_to_the_prefix_and_base_units() -> None:
    for name in exported():
        assert name.startswith(("majlis_", "process_"))
        words = set(name.split("_"))
        assert not words & {"ms", "us", "ns", "milliseconds", "nanoseconds", "minutes", "percent", "ppm", "kb"}, name


def test_runbooks_get_whole_addresses_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert alert_rules.main(["print", "--runbooks", "https://git.example/majlis/"]) == 0
    printed = [rule for group in yaml.safe_load(capsys.readouterr().out)["spec"]["groups"] for rule in group["rules"]]
    addresses = {rule["annotations"]["runbook_url"] for rule in printed if "alert" in rule}
    assert addresses == {f"https://git.example/majlis/{alert['annotations']['runbook_url']}" for alert in ALERTS}


def test_the_operator_s_rules_are_the_same_as_those_of_prometheus() -> None:
    assert alert_rules.main(["check"]) == 0


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (job) (rate(a_total{b="c_total"}[5m])) / 1e9', {"a_total"}),
        ("a:b:c > 0.5 and on (instance) d_bucket offset 5m", {"a:b:c", "d_bucket"}),
        ("histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m]))) or vector(0)", {"x_bucket"}),
        ("time() - max(y_seconds) > 26 * 3600", {"y_seconds"}),
    ],
)
def test_the_names_in_an_expression_are_told_from_the_words_of_the_language(expression: str, names: set[str]) -> None:
    assert read_by(expression) == names
