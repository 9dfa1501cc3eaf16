"""Holds the documents to the code: the walk of ARCHITECTURE.md exists, and nothing tells of another place."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(r"^\d+\. `(?P<path>[\w./-]+)(?:: (?P<symbol>[\w.]+))?`", re.MULTILINE)
INDEX_ADDRESS = re.compile(r'(resolved|index-url|registry) *[=":]+ *"?https?://')
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.\-$}])/(work|farm|root)/")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def test_the_walk_through_raise_a_hand_names_files_and_symbols_that_exist() -> None:
    steps = list(STEP.finditer((ROOT / "ARCHITECTURE.md").read_text()))
    assert len(steps) >= 7
    for step in steps:
        path = ROOT / step["path"]
        assert path.is_file(), f"{step['path']} is gone"
        if step["symbol"]:
            name = step["symbol"].rsplit(".", 1)[-1]
            assert re.search(rf"\b{name}\b", path.read_text()), f"{step['path']} has no {name}"


def test_links_between_documents_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in tracked()
        if path.suffix == ".md"
        for target in link.findall(path.read_text())
        if not (path.parent / target).exists()
    ]
    assert not broken, broken


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        if path.suffix in {".png", ".woff2", ".ico", ".opus", ".bin"} or path == Path(__file__) or ".ci" in path.parts:
            continue
        text = path.read_text(errors="ignore")
        if INDEX_ADDRESS.search(text) or MACHINE_PATH.search(text):
            found.append(str(path.relative_to(ROOT)))
    assert not found, found


def test_every_part_says_the_same_version() -> None:
    from services.common.version import VERSION

    said = {
        "pyproject.toml": f'version = "{VERSION}"',
        "sdk/python/pyproject.toml": f'version = "{VERSION}"',
        "sdk/python/majlis_client/__init__.py": f'__version__ = "{VERSION}"',
        "deploy/Dockerfile": f"ARG VERSION={VERSION}",
    }
    for path, line in said.items():
        assert line in (ROOT / path).read_text().splitlines(), path
    images = re.compile(r"majlis-[a-z-]+:\$\{VERSION:-([\d.]+)\}|majlis-\S+?:(\d[\d.]*\d)|newTag: ([\d.]*\d)")
    named = [ROOT / "deploy/compose.yaml", *(ROOT / "docs/guides").glob("*.md"), *ROOT.glob("k8s/overlays/*/*.yaml")]
    tags = {(path.name, "".join(found)) for path in named for found in images.findall(path.read_text())}
    assert {path for path, _ in tags} == {"compose.yaml", "docker.md", "kubernetes.md", "kustomization.yaml"}
    assert {version for _, version in tags} == {VERSION}
