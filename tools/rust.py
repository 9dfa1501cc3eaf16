"""Runs cargo on the packet core with the toolchain that bootstrap found: test, clippy, fmt, fuzz, build-load."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tools import toolchains
from tools.bootstrap import PACKETCORE, ROOT

SDP = "sdp"
"""The one parser in Python, fuzzed beside those in Rust."""
FUZZ_TARGETS = sorted([SDP, *(folder.name for folder in (PACKETCORE / "fuzz" / "corpus").iterdir())])


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


def fuzz(seconds: str, at_once: int) -> int:
    """Every target for that long, so many at once; what a target prints is shown when all have ended."""
    if code := cargo("build", "--release", "--locked", "--quiet", "-p", "fuzz"):
        return code
    program = PACKETCORE / "target" / "release" / "fuzz"

    def one(target: str) -> subprocess.CompletedProcess[str]:
        command, folder = [str(program), target], PACKETCORE / "fuzz"
        if target == SDP:
            command, folder = [sys.executable, "-m", "tools.fuzz_sdp"], ROOT
        command += ["--seconds", seconds]
        return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)

    with ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(one, FUZZ_TARGETS))
    for target, run in zip(FUZZ_TARGETS, runs, strict=True):
        print(f"fuzz {target}: {'passed' if run.returncode == 0 else 'FAILED'}\n{run.stdout}{run.stderr}".rstrip())
    failed = sum(run.returncode != 0 for run in runs)
    print(f"fuzz: {len(runs) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    """Command line: the command, and for fuzz the seconds per target and how many at once."""
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
        return fuzz(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else os.cpu_count() or 1)
    print(f"tools.rust: unknown command {command}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
