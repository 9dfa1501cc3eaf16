"""Installs and builds whatever the asked part of Majlis still lacks; a second run with nothing changed does nothing.

Runs on the bare Python of a fresh machine, so it imports only the standard library.
"""

import argparse
import fnmatch
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a plain script, before anything is installed

from tools import toolchains  # noqa: E402

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
PACKETCORE = ROOT / "services" / "media_relay" / "packetcore"
WEB = ROOT / "web"
SDK = ROOT / "sdk" / "typescript"
# A client of the contracts alone: it shares nothing with the SDK that is built beside it.
NODE_CLIENT = ROOT / "tests" / "e2e" / "node_client"
PARTS = ("python", "gen", "core", "web", "sdk")
RUST_SOURCES = ("*.rs", "*.toml", "Cargo.lock", "*.pyi", "*.py")


def say(message: str) -> None:
    """One line about a step that takes time."""
    print(f"majlis: {message}", flush=True)


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None, log: str = "") -> None:
    """Runs a command; its output goes to var/log/<log>.log and is shown only when it fails."""
    if not log:
        subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=True)
        return
    path = ROOT / "var" / "log" / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        arguments = [str(part) for part in command]
        finished = subprocess.run(arguments, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, check=False)
    if finished.returncode:
        sys.stderr.write(path.read_text(errors="replace")[-6000:])
        raise SystemExit(f"majlis: {' '.join(str(part) for part in command)} failed; all it printed is in {path}")


def digest(paths: Iterable[Path], *more: str) -> str:
    """Hash over the names and contents of files, so that a touched but unchanged file rebuilds nothing."""
    result = hashlib.sha256()
    for path in sorted(paths):
        result.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    for text in more:
        result.update(text.encode())
    return result.hexdigest()


def stale(step: str, mark: str) -> bool:
    """True when the step was not finished with this very mark."""
    stamp = STAMPS / step
    return not stamp.exists() or stamp.read_text() != mark


def done(step: str, mark: str) -> None:
    """Remembers that a step finished."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / step).write_text(mark)


def tree(folder: Path, *patterns: str) -> list[Path]:
    """Files below a folder, sorted. Does not enter what builds leave there: they may be at work meanwhile."""
    skipped = {"target", "node_modules", "dist", "gen", "__pycache__"}
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in skipped]
        found += [Path(root, name) for name in names if any(fnmatch.fnmatch(name, each) for each in patterns)]
    return sorted(found)


def site_packages() -> Path:
    """Where the virtual environment has its packages."""
    # Asked for by its scheme: Debian's own Python has another one by default, below local/.
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(VENV), "platbase": str(VENV)}))


def make_venv() -> None:
    """The virtual environment, with the roots of our own packages on its path."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file meets whatever Python the machine has
        raise SystemExit(f"majlis: Python 3.11 or newer is needed, this is {platform.python_version()}")
    mark = f"{sys.version} {ROOT}"
    if not stale("venv", mark) and PYTHON.exists():
        return
    say("making the virtual environment .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", VENV)
    except subprocess.CalledProcessError as error:
        raise SystemExit("majlis: Python's venv module is missing (on Debian: the python3-venv package)") from error
    roots = (ROOT, ROOT / "gen" / "python", ROOT / "sdk" / "python")
    (site_packages() / "majlis.pth").write_text("".join(f"{root}\n" for root in roots))
    done("venv", mark)


def write_command() -> None:
    """The `majlis` command of this checkout: the client's part and the operator's."""
    command, text = VENV / "bin" / "majlis", f"#!{PYTHON}\nfrom ops.command import main\n\nmain()\n"
    if not command.exists() or command.read_text() != text:
        command.write_text(text)
        command.chmod(0o755)


def install_python(*, dev: bool) -> None:
    """The pinned Python packages."""
    locks = [ROOT / "requirements.lock", *([ROOT / "requirements-dev.lock"] if dev else [])]
    for lock in locks:
        mark = digest([lock])
        if stale(lock.stem, mark):
            say(f"installing the Python packages of {lock.name}")
            run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", lock, log=lock.stem)
            done(lock.stem, mark)


def generate() -> None:
    """Python code of the contracts; the generator has a stamp of its own."""
    install_python(dev=True)
    run(PYTHON, "tools/generate.py")


def build_core() -> None:
    """The Rust packet core, as a wheel in the virtual environment."""
    mark = digest(tree(PACKETCORE, *RUST_SOURCES), platform.machine(), sys.version)
    if not stale("packetcore", mark):
        return
    env = toolchains.with_rust(dict(os.environ))
    env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env['PATH']}"
    say("building the packet core (Rust); the first time takes a few minutes")
    wheels = VENV / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    manifest = PACKETCORE / "crates" / "py" / "Cargo.toml"
    options = ("--profile", "dist", "--locked", "--manifest-path", manifest, "--interpreter", PYTHON, "--out", wheels)
    run(VENV / "bin" / "maturin", "build", *options, env=env, log="packetcore")
    wheel = next(wheels.glob("*.whl"))
    run(PYTHON, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", wheel, log="packetcore-install")
    done("packetcore", mark)


def install_node(name: str, package: Path, env: dict[str, str]) -> None:
    """What a package for Node or the browser needs from the registry."""
    modules = digest([package / "package-lock.json", package / "package.json"])
    if stale(f"{name}-modules", modules) or not (package / "node_modules").exists():
        say(f"installing the packages of {package.relative_to(ROOT)}")
        run("npm", "ci", "--no-audit", "--no-fund", cwd=package, env=env, log=f"{name}-npm")
        done(f"{name}-modules", modules)


def build_typescript(name: str, package: Path, product: str) -> None:
    """A TypeScript package: its packages from the registry, its contracts, then its own build."""
    env = toolchains.with_node(dict(os.environ))
    install_node(name, package, env)
    run(PYTHON, "tools/generate.py", name, env=env)
    mark = digest(tree(package, "*"), digest(tree(ROOT / "protos", "*.proto")))
    if stale(name, mark) or not (package / "dist" / product).exists():
        say(f"building {package.relative_to(ROOT)}")
        run("npm", "run", "build", cwd=package, env=env, log=name)
        done(name, mark)


def main() -> None:
    """Command line: which parts are wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; without: what `make run` needs")
    parts = parser.parse_args().parts or ["python", "gen", "core", "web"]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {unknown.pop()}; there are {', '.join(PARTS)}")
    make_venv()
    write_command()
    install_python(dev=True)
    if {"gen", "web", "sdk"}.intersection(parts):
        generate()
    if "core" in parts:
        build_core()
    if "web" in parts:
        build_typescript("web", WEB, "index.html")
    if "sdk" in parts:
        build_typescript("sdk", SDK, "index.js")
        install_node("node-client", NODE_CLIENT, toolchains.with_node(dict(os.environ)))


if __name__ == "__main__":
    main()
