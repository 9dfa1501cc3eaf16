"""The guides for operators name settings, files, commands and metrics that exist."""

import json
import re
from pathlib import Path

import pytest
from majlis_client.cli import app

from ops.operations import COMMANDS
from tools.lint_manifests import SERVICES, documented
from tools.metric_names import exported

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*(ROOT / "docs" / "guides").glob("*.md"), *(ROOT / "docs" / "runbooks").glob("*.md"), ROOT / "SECURITY.md"]
)
TREES = ("services/", "tests/", "deploy/", "k8s/", "tools/", "ops/", "docs/", "protos/", "sdk/")


def settings() -> set[str]:
    return {setting.env for service in SERVICES for setting in documented(service)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_settings_that_exist(page: Path) -> None:
    prefixes = "|".join(service.upper() for service in SERVICES)
    named = set(re.findall(rf"(?<![A-Z_*])(?:{prefixes})_[A-Z_]+[A-Z]", page.read_text()))
    assert named <= settings(), named - settings()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    named = re.findall(r"`([\w./-]+)`", page.read_text())
    missing = [name for name in named if name.startswith(TREES) and not (ROOT / name).exists()]
    assert not missing, missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_commands_and_metrics_that_exist(page: Path) -> None:
    text = page.read_text()
    for module in re.findall(r"python -m ((?:tools|ops)[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    metrics = set(re.findall(r"\bmajlis_\w+_(?:total|seconds|bucket|ratio)\b", text))
    outside = json.loads((ROOT / "deploy" / "prometheus" / "external_metrics.json").read_text()).values()
    known = exported().union(*outside) | {"majlis_media_relay_load_ratio"}
    assert metrics <= known | {name.removesuffix("_count") for name in known}
    commands = {*COMMANDS, *(command.name or command.callback.__name__ for command in app.registered_commands)}  # type: ignore[union-attr]
    commands |= {group.name for group in app.registered_groups if group.name}
    assert set(re.findall(r"`majlis ([a-z-]+)", text)) <= commands


def test_every_guide_is_in_the_list_of_guides() -> None:
    listed = (ROOT / "docs" / "guides" / "README.md").read_text()
    for page in (ROOT / "docs" / "guides").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in listed
