"""Finds a builder of images, and builds one image a service from deploy/Dockerfile."""

import os
import shlex
import shutil
import subprocess
import tomllib

from ops.run.plan import SERVICES
from tools.bootstrap import ROOT

BUILDERS = {
    "docker": ["docker", "build"],
    "podman": ["podman", "build", "--layers"],
    "buildah": ["buildah", "bud", "--layers"],
}
VERSION = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def image(service: str) -> str:
    """The name of a service's image."""
    return f"majlis-{service.replace('_', '-')}:{VERSION}"


def works(program: str) -> bool:
    """Whether a program is here and has what it needs: a docker without its daemon has not."""
    if not shutil.which(program):
        return False
    return subprocess.run([program, "info"], capture_output=True, check=False, timeout=30).returncode == 0


def chosen(programs: tuple[str, ...]) -> str:
    """The first program of these that works. Raises SystemExit when none does."""
    for program in programs:
        if works(program):
            return program
    raise SystemExit(f"majlis: none of {', '.join(programs)} works here")


def build() -> None:
    """Builds all five; IMAGE_BUILD_FLAGS are handed to the builder."""
    command = BUILDERS[chosen(tuple(BUILDERS))]
    flags = shlex.split(os.environ.get("IMAGE_BUILD_FLAGS", ""))
    for service in SERVICES:
        print(f"majlis: building {image(service)}", flush=True)
        arguments = ["--build-arg", f"SERVICE={service}", "--build-arg", f"VERSION={VERSION}", "-t", image(service)]
        subprocess.run([*command, *flags, *arguments, "-f", "deploy/Dockerfile", "."], cwd=ROOT, check=True)
