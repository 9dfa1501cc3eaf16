"""Builds the two programs of a control plane, etcd and kube-apiserver, from the modules of their releases."""

import json
import re
import subprocess
from pathlib import Path

from tools.toolchains import TOOLCHAIN

KUBERNETES = "v1.37.2"
"""The version whose schemas `make lint` uses as well."""
PARTS = KUBERNETES.replace("v1.", "v0.", 1)
"""Kubernetes publishes the parts of its repository as modules of their own, a zero for the one."""
FOLDER = TOOLCHAIN / f"control-plane-{KUBERNETES}"
PROGRAMS = {"etcd": "go.etcd.io/etcd/server/v3", "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver"}

_MAJOR, _MINOR = KUBERNETES.removeprefix("v").split(".")[:2]
_VERSION = "k8s.io/component-base/version"
_LINK = f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}"


def go(*arguments: str) -> str:
    """Runs Go in the folder of the build. Raises SystemExit with what it says when it fails."""
    try:
        done = subprocess.run(["go", *arguments], capture_output=True, text=True, cwd=FOLDER, check=False)
    except FileNotFoundError:
        raise SystemExit("majlis: Go is needed to build a control plane") from None
    if done.returncode:
        raise SystemExit(f"majlis: go {' '.join(arguments[:2])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def write_module() -> None:
    """A module that asks for Kubernetes, and for its parts in the same version."""
    (FOLDER / "go.mod").write_text("module control.plane/build\n", encoding="utf-8")
    kubernetes = Path(json.loads(go("mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}"))["Dir"])
    wanted = (kubernetes / "go.mod").read_text(encoding="utf-8")
    parts = re.findall(r"^\s+(k8s\.io/[a-z0-9-]+) v0\.0\.0(?:\s|$)", wanted, re.MULTILINE)
    minimum = re.search(r"^go .*$", wanted, re.MULTILINE)
    lines = [
        "module control.plane/build",
        minimum.group() if minimum else "",
        f"require k8s.io/kubernetes {KUBERNETES}",
        *(f"replace {part} => {part} {PARTS}" for part in parts),
        "",
    ]
    (FOLDER / "go.mod").write_text("\n".join(lines), encoding="utf-8")


def built() -> dict[str, Path]:
    """Where the programs are; builds those that are not there yet, which takes a quarter of an hour on two cores."""
    found = {name: FOLDER / "bin" / name for name in PROGRAMS}
    if all(path.exists() for path in found.values()):
        return found
    (FOLDER / "bin").mkdir(parents=True, exist_ok=True)
    print(f"majlis: building etcd and kube-apiserver {KUBERNETES}, once; this takes a while", flush=True)
    write_module()
    for package in reversed(PROGRAMS.values()):
        go("get", "-tool", package)
    for name, package in PROGRAMS.items():
        go("build", "-mod=mod", "-trimpath", f"-ldflags={_LINK}", "-o", str(found[name]), package)
    return found
