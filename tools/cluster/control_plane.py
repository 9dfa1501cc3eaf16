"""Runs etcd and kube-apiserver on loopback with nothing but memory of a moment, and talks to them with kubectl."""

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ops.run.plan import free_port
from tools.bootstrap import VENV

START_SECONDS = 60.0
STOP_SECONDS = 20.0
CALL_SECONDS = 120


class Kubectl:
    """kubectl, bound to one control plane."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def __call__(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs it; `given` is its standard input."""
        command = [str(VENV / "bin" / "kubectl"), f"--kubeconfig={self._config}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=CALL_SECONDS)

    def faults(self, *arguments: str, given: str | None = None) -> list[str]:
        """What it warns of or refuses, a line each."""
        done = self(*arguments, given=given)
        told = [line for line in done.stderr.splitlines() if line.strip()]
        return told if told or not done.returncode else [f"kubectl {arguments[0]} failed"]


@contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that is ended at the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _key(folder: Path) -> Path:
    """What the API server signs the tokens of service accounts with."""
    path = folder / "service-accounts.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return path


def _access(folder: Path, port: int) -> tuple[Path, Path]:
    """(tokens the server knows, kubectl's configuration) of one administrator."""
    token = secrets.token_hex(16)
    tokens, config = folder / "tokens.csv", folder / "kubeconfig"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{token},administrator,administrator,system:masters\n", encoding="utf-8")
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    made: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": server}],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "administrator"}}],
        "current-context": "here",
    }
    config.touch(mode=0o600)
    config.write_text(yaml.safe_dump(dict(made)), encoding="utf-8")
    return tokens, config


def api_options(folder: Path, etcd: str, port: int, tokens: Path, key: Path) -> list[str]:
    """What the API server is told."""
    return [
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        # Its address is written nowhere: loopback is none that a cluster may have.
        "--endpoint-reconciler-type=none",
        # It puts a finalizer on volume claims that only a controller takes away, and none runs here: they would be
        # "being deleted" for ever, and the next folder that has one of the same name could not be applied.
        "--disable-admission-plugins=StorageObjectInUseProtection",
        "--service-account-issuer=https://majlis.example",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/16",
    ]


@contextmanager
def control_plane(programs: Mapping[str, Path]) -> Iterator[Kubectl]:
    """A fresh control plane. Raises SystemExit when it does not start."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="majlis-control-plane-")))
        client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        port = free_port()
        etcd = [
            str(programs["etcd"]),
            f"--data-dir={folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]
        tokens, config = _access(folder, port)
        api = [str(programs["kube-apiserver"]), *api_options(folder, client, port, tokens, _key(folder))]
        stack.enter_context(running(etcd, folder / "etcd.log"))
        server = stack.enter_context(running(api, folder / "kube-apiserver.log"))
        kubectl = Kubectl(config)
        _until_ready(kubectl, server, folder / "kube-apiserver.log")
        yield kubectl


def _until_ready(kubectl: Kubectl, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if kubectl("get", "--raw", "/readyz").returncode == 0:
            return
        time.sleep(0.5)
    raise SystemExit(f"majlis: the control plane did not start:\n{log.read_text(errors='replace')[-2000:]}")
