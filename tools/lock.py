"""Writes the lock files of Python from what pyproject.toml declares; what is locked stays unless it is told to rise."""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN, DEV = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
UV = "uv==0.13.9"
"""The resolver: one file for every platform and Python, with markers where they differ."""


def install_resolver() -> Path:
    """The resolver in a folder of its own: nothing else here needs it."""
    folder = ROOT / ".toolchain" / UV.replace("==", "-")
    if not (folder / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, UV], check=True)
    return folder / "bin" / "uv"


def compile_lock(uv: Path, lock: Path, rise: list[str], *what: str) -> None:
    """Writes one lock file: `name==version`, a marker where it holds for some platforms only, and no address."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / lock.name
        # The resolver prefers what a file in its way has already.
        made.write_text(lock.read_text(encoding="utf-8") if lock.exists() else "", encoding="utf-8")
        command: list[str | Path] = [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
            "--no-header",
        ]
        command += ["--no-annotate", "--output-file", made, *what]
        command += [part for name in rise for part in ("--upgrade-package", name)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        lock.write_text(made.read_text(encoding="utf-8"), encoding="utf-8")


def only_new(lock: Path, base: Path) -> None:
    """Leaves out what the other file has: one package stands in one file."""
    known = {name_of(line) for line in base.read_text(encoding="utf-8").splitlines()}
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if name_of(line) not in known]
    lock.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def name_of(requirement: str) -> str:
    """The name of the package, as the index spells it."""
    return re.split(r"[\s=<>!~;\[]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def main(arguments: list[str]) -> int:
    """Writes both files."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("rise", nargs="*", help="packages that may rise to the newest version declared")
    rise = parser.parse_args(arguments).rise
    uv = install_resolver()
    compile_lock(uv, RUN, rise, "pyproject.toml")
    compile_lock(uv, DEV, rise, "--group", "dev", "--constraints", RUN.name, "pyproject.toml")
    only_new(DEV, RUN)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
