"""Holds migrations to "expand, then contract": the release before goes on working on the tables of this one.

A migration only adds, or it says with `CONTRACT_SAFE_FROM = "1.4.0"` since which release nothing uses any more what it
takes away or changes; that release must be older than this one, which is when its last copies are gone.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARK = "CONTRACT_SAFE_FROM"
_ADDING = {"create_table", "create_index", "add_column", "bulk_insert", "f"}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)\Z")


def scripts() -> list[Path]:
    """Every migration of every service, in order."""
    return sorted((ROOT / "services").glob("*/migrations/versions/r*.py"))


def current_version() -> str:
    """The release this checkout becomes."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def findings(text: str, version: str) -> Iterator[str]:
    """What is wrong with a migration, in words."""
    tree = ast.parse(text)
    values = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if values.get("down_revision") is None:
        return  # there was nothing before it
    taking = list(_taking(tree))
    if MARK not in values:
        yield from taking
        return
    safe_from = str(values[MARK])
    if not _VERSION.match(safe_from):
        yield f"{MARK} = {safe_from!r} is no release"
    elif _numbers(safe_from) >= _numbers(version):
        yield f"{MARK} = {safe_from!r}: copies of that release may still run beside {version}; contract in a later one"
    if not taking:
        yield f"{MARK} marks a migration that only adds: leave it out"


def _taking(tree: ast.Module) -> Iterator[str]:
    """Operations that a running copy of the release before may not survive."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in {"op", "batch"}):
            continue
        name = node.func.attr
        if name not in _ADDING:
            yield f"line {node.lineno}: {name} is not additive; mark the migration with {MARK}"
        elif name == "create_index" and _given(node, "unique", default=False):
            yield f"line {node.lineno}: a unique index refuses what the release before may write"
        elif name == "add_column" and not _may_be_left_out(node):
            yield f"line {node.lineno}: the release before does not fill this column: nullable=True or server_default"


def _given(call: ast.Call, name: str, *, default: bool) -> bool:
    for keyword in call.keywords:
        if keyword.arg == name:
            return not (isinstance(keyword.value, ast.Constant) and keyword.value.value in {False, None})
    return default


def _may_be_left_out(call: ast.Call) -> bool:
    columns = [each for each in call.args if isinstance(each, ast.Call)]
    return all(
        _given(column, "nullable", default=True) or _given(column, "server_default", default=False)
        for column in columns
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def main() -> int:
    """Prints what is wrong; 1 when something is."""
    version, bad = current_version(), 0
    for path in scripts():
        for finding in findings(path.read_text(), version):
            print(f"{path.relative_to(ROOT)}: {finding}", file=sys.stderr)
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
