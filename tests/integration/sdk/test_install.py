"""The clients install from a checkout in which nothing was built or generated yet."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = "build==1.6.1"
SEEN = """
import majlis_client.cli
from majlis.gateway.v1 import event_service_pb2_grpc
from importlib.metadata import version
print(majlis_client.__file__, event_service_pb2_grpc.__file__, version("majlis-client"))
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """The output of a command that must succeed."""
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, f"{command}: {finished.stdout[-3000:]}"
    return finished.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a fresh clone holds: the files under version control, and nothing that was made from them."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: no telling what a clone holds")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, tmp_path / "clone" / name
        # sdk/, protos/ and tools/ are all that a build may need.
        if name.startswith(("sdk/python", "protos/", "tools/", "requirements")) and source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tmp_path / "clone"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Another environment: it has what the client depends on, but nothing of this project."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    site = next((tmp_path / "venv" / "lib").glob("python3*/site-packages"))
    # Dependencies are the registry's business; a folder named here is searched, but its own .pth files are not read.
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    return tmp_path / "venv" / "bin" / "python"


def seen_by(python: Path, folder: Path) -> None:
    """Holds that client and contracts are those that were installed, and that the command starts."""
    client, contracts, version = run(python, "-c", SEEN, cwd=folder, PYTHONPATH="").split()
    assert Path(client).is_relative_to(python.parents[1])
    assert Path(contracts).is_relative_to(python.parents[1])
    declared = tomllib.loads((ROOT / "sdk" / "python" / "pyproject.toml").read_text())
    assert version == declared["project"]["version"]
    assert "raise-hand" in run(python.parent / "majlis", "--help", cwd=folder, PYTHONPATH="")


def test_the_python_client_installs_from_a_clean_clone(clone: Path, python: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "--no-deps", "sdk/python", cwd=clone)
    seen_by(python, tmp_path)


def test_what_is_built_from_a_clean_clone_installs_without_the_repository(
    clone: Path, python: Path, tmp_path: Path
) -> None:
    run(python, "-m", "pip", "install", BUILD, cwd=tmp_path)
    run(python, "-m", "build", "sdk/python", cwd=clone)
    made = {path.suffix: path for path in (clone / "sdk" / "python" / "dist").iterdir()}
    with tarfile.open(made[".gz"]) as archive:
        names = archive.getnames()
    assert any(name.endswith("contracts/majlis/auth/v1/sign_in_service_pb2.py") for name in names)
    wheel = shutil.move(made[".whl"], tmp_path)
    shutil.rmtree(clone)
    run(python, "-m", "pip", "install", "--no-deps", wheel, cwd=tmp_path)
    seen_by(python, tmp_path)
