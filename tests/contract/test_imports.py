"""What import-linter does not look at: tests, which are no package. Product code never needs them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.bootstrap import ROOT, tree

# Each kind of tests may use what stands right of it, itself and the product; kinds know nothing of each other.
MAY_USE = {
    "unit": {"load", "support"},
    "contract": {"support"},
    "integration": {"load", "support"},
    "e2e": {"load", "support"},
    "load": {"support"},
    "support": set(),
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_kinds_of_tests_use_what_they_share_and_not_each_other() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for kind, allowed in MAY_USE.items()
        for path in tree(ROOT / "tests" / kind, "*.py")
        for module in imported(path)
        if module.startswith("tests.") and module.split(".")[1] not in {kind, *allowed}
    ]
    assert wrong == []


def test_every_folder_of_tests_is_under_the_rule() -> None:
    assert {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] != "_"} == set(MAY_USE)


def test_no_unit_test_starts_what_needs_a_socket_by_importing_it() -> None:
    """What a unit test shares with others stands alone as it does."""
    heavy = {"tests.support.nats_server", "tests.support.postgres", "tests.support.stack", "tests.support.browser"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in tree(ROOT / "tests" / "unit", "*.py")
        for module in imported(path)
        if module in heavy
    ]
    assert wrong == []


def test_nothing_that_ships_imports_tests() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for folder in ("services", "ops", "tools", "sdk", "deploy")
        for path in tree(ROOT / folder, "*.py")
        for module in imported(path)
        if module.split(".")[0] == "tests"
    ]
    assert wrong == []
