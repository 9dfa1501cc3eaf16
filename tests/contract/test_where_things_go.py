"""The page that says where new things go names rooms that exist, and an import rule covers each of them."""

import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tools.bootstrap import ROOT

PAGE = (ROOT / "docs" / "where-would-i-put.md").read_text()
PATHS = re.findall(r"`((?:services|ops|tools|protos|web|sdk|docs|deploy)(?:/[\w./-]+)?)`( \*\(new\)\*)?", PAGE)
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def layers() -> dict[str, set[str]]:
    """For each container of an exhaustive layers rule, the modules it names."""
    found: dict[str, set[str]] = {}
    for rule in RULES:
        if rule["type"] != "layers":
            continue
        names = {name.strip(" ()") for layer in rule["layers"] for name in re.split(r"[|:]", layer)}
        for container in rule.get("containers", [""]):
            if rule.get("exhaustive") or not container:
                found.setdefault(container, set()).update(names)
    return found


@pytest.mark.parametrize("path", [path for path, new in PATHS if not new])
def test_a_named_place_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", [path for path, new in PATHS if new])
def test_what_is_called_new_is_not_there_yet(path: str) -> None:
    assert not (ROOT / path).exists(), "it has come: take *(new)* away, and say what it holds"


@pytest.mark.parametrize(
    "path",
    sorted({path for path, new in PATHS if not new and path.startswith("services/") and "packetcore" not in path}),
)
def test_an_import_rule_covers_each_place_of_python(path: str) -> None:
    parts = PurePosixPath(path).parts
    known = layers()
    container = ".".join(parts[:2])
    if len(parts) == 2:
        named = {name for names in known.values() for name in names}
        assert container in known or container in named, f"no rule has layers inside {container}"
    else:
        assert parts[2] in known[container], f"no layer of {container} is called {parts[2]}"
