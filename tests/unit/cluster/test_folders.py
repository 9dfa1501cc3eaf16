"""Folders of manifests applied one after the other to one control plane, which no controller watches."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tools.cluster import __main__ as cluster
from tools.cluster.control_plane import api_options

PROTECTING = "--disable-admission-plugins=StorageObjectInUseProtection"


class FakeKubectl:
    """An API server that deletes in its own time, and never what waits for a controller."""

    def __init__(self, options: list[str]) -> None:
        self.there: set[str] = set()
        self.going: set[str] = set()
        self._protects = PROTECTING not in options

    def __call__(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        told = self.faults(*arguments, given=given)
        return subprocess.CompletedProcess(arguments, len(told), "", "\n".join(told))

    def faults(self, *arguments: str, given: str | None = None) -> list[str]:
        document: dict[str, Any] = json.loads(given or "{}")
        names = {f"{each['kind']} {each['metadata']['name']}" for each in document.get("items", [])}
        if arguments[0] == "apply":
            self.there |= names
            return [f"{name} is currently being deleted" for name in sorted(names & self.going)]
        if arguments[0] == "delete":
            self.going |= names
            if "--wait=true" not in arguments:
                return []
            held = {name for name in self.going if self._protects and name.startswith("PersistentVolumeClaim")}
            self.there, self.going = self.there - self.going | held, held
            return [f"timed out waiting for {name}" for name in sorted(held)]
        return []


def folder_of(_: str) -> list[dict[str, Any]]:
    kinds = {"Namespace": "majlis", "PersistentVolumeClaim": "backups", "Service": "auth"}
    return [{"kind": kind, "metadata": {"name": name, "namespace": "majlis"}} for kind, name in kinds.items()]


def test_what_one_folder_leaves_hinders_neither_the_next_one_nor_a_second_run(tmp_path: Path) -> None:
    kubectl = FakeKubectl(api_options(tmp_path, "http://127.0.0.1:1", 2, tmp_path, tmp_path))
    for folder in ("k8s/overlays/small", "k8s/overlays/production", "k8s/overlays/small"):
        assert cluster.faults_of(kubectl, folder, folder_of) == (3, [])  # type: ignore[arg-type]
        assert kubectl.there == {"Namespace majlis"}
