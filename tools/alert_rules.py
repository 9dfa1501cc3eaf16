"""Writes the Prometheus operator's rules from the rule files, so that both ways of running alert on the same."""

import argparse
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "deploy" / "prometheus" / name for name in ("rules.yml", "alerts.yml")]
MANIFEST = ROOT / "k8s" / "components" / "servicemonitors" / "rules.yaml"


def text(runbooks: str = "") -> str:
    """The manifest; `runbooks` is what stands before the paths of runbooks, which are the source's."""
    groups = [group for source in SOURCES for group in yaml.safe_load(source.read_text())["groups"]]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        rule["annotations"]["runbook_url"] = runbooks + rule["annotations"]["runbook_url"]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "majlis"},
        "spec": {"groups": groups},
    }
    notice = "# Written by `python -m tools.alert_rules write` from deploy/prometheus; a test holds them together.\n"
    return notice + yaml.safe_dump(manifest, sort_keys=False, width=116, allow_unicode=True)


def main(arguments: list[str]) -> int:
    """`write` it, `check` that it is what would be written, or `print` it with whole addresses of runbooks."""
    parser = argparse.ArgumentParser(prog="python -m tools.alert_rules", description=__doc__)
    parser.add_argument("what", choices=["write", "check", "print"])
    parser.add_argument("--runbooks", default="", help="with print: address of the source, https://git.example/majlis/")
    given = parser.parse_args(arguments)
    if given.what == "print":
        print(text(given.runbooks), end="")
        return 0
    if given.what == "write":
        MANIFEST.write_text(text())
    if not MANIFEST.exists() or MANIFEST.read_text() != text():
        print(f"{MANIFEST.relative_to(ROOT)} is out of date: python -m tools.alert_rules write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
