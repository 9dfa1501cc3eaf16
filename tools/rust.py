"""Runs cargo on the packet core with the toolchain that bootstrap found: test, clippy, fmt, fuzz, build-load."""

import os
import subprocess
import sys

from tools import toolchains
from tools.bootstrap import PACKETCORE, ROOT

CRATES = PACKETCORE / "crates"
FUZZ_TARGETS_COMMAND = ("run", "--release", "--quiet", "-p", "fuzz", "--")


def cargo(*arguments: str, **env: str) -> int:
    """One cargo command; returns its exit code."""
    environment = toolchains.with_rust(dict(os.environ))
    venv = ROOT / ".venv" / "bin"
    environment = {**toolchains.prepend(environment, venv), "PYO3_PYTHON": str(venv / "python"), **env}
    return subprocess.run(["cargo", *arguments], check=False, cwd=PACKETCORE, env=environment).returncode


def cargo_output(*arguments: str) -> str:
    """What a cargo command prints. Raises RuntimeError with its errors when it fails."""
    environment = toolchains.with_rust(dict(os.environ))
    done = subprocess.run(
        ["cargo", *arguments], check=False, cwd=PACKETCORE, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"cargo {' '.join(arguments)} failed: {done.stderr[-2000:]}")
    return done.stdout


def main() -> int:
    """Command line: the command, and for fuzz the seconds per target."""
    command = sys.argv[1]
    if command == "test":
        # The extension module cannot be linked into a test binary, so its crate has none.
        return cargo("test", "--release", "--locked", "--quiet", "--workspace", "--exclude", "majlis-packetcore")
    if command == "clippy":
        return cargo("fmt", "--all", "--check") or cargo(
            "clippy", "--release", "--locked", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"
        )
    if command == "fmt":
        return cargo("fmt", "--all")
    if command == "build-load":
        return cargo("build", "--release", "--locked", "--quiet", "-p", "majlis-load")
    if command == "fuzz":
        return cargo(*FUZZ_TARGETS_COMMAND, "all", "--seconds", sys.argv[2])
    print(f"tools.rust: unknown command {command}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
