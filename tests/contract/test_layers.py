"""Imports form no circle, and no file of a service is outside the rules that `lint-imports` holds."""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "ops", "tools", "majlis_client", "tests.support")


def circles(modules: Iterable[str], imported: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """Groups of modules of which each imports each other one, over however many steps (Tarjan's components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        path.append(module)
        for other in imported(module):
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in path:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            group = path[path.index(module) :]
            del path[path.index(module) :]
            if len(group) > 1 or module in imported(module):
                found.append(sorted(group))

    for module in sorted(modules):
        if module not in number:
            visit(module)
    return found


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every module of ours and what it imports, imports for types and inside functions too."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def test_no_modules_import_each_other_in_a_circle(graph: grimp.ImportGraph) -> None:
    assert "services.gateway.__main__" in graph.modules
    assert circles(graph.modules, graph.find_modules_directly_imported_by) == []


def test_no_rooms_of_common_import_each_other_in_a_circle(graph: grimp.ImportGraph) -> None:
    rooms = {name for name in graph.modules if name.startswith("services.common.") and name.count(".") == 2}
    for room in rooms:
        graph.squash_module(room)
    assert circles(rooms, lambda room: graph.find_modules_directly_imported_by(room) & rooms) == []


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": "b", "b": "c", "c": ""}, []),
        ({"a": "b", "b": "a"}, [["a", "b"]]),
        ({"a": "b", "b": "c", "c": "b"}, [["b", "c"]]),
        ({"a": "b", "b": "cd", "c": "", "d": "e", "e": "b"}, [["b", "d", "e"]]),
        ({"a": "a"}, [["a"]]),
    ],
)
def test_a_circle_is_found_however_long_it_is(imports: dict[str, str], found: list[list[str]]) -> None:
    assert circles(imports, imports.__getitem__) == found


def test_every_file_of_a_service_is_under_a_rule_of_layers() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = {
        container
        for rule in rules
        if rule["type"] == "layers" and rule.get("exhaustive") and not rule.get("ignore_imports")
        for container in rule.get("containers", ())
    }
    modules = {
        f"services.{path.stem}"
        for path in (ROOT / "services").iterdir()
        if path.suffix == ".py" or any(path.rglob("*.py"))
    }
    assert modules - held == {"services.__init__"}
