"""deploy/start.py, the entry point of the images, fits what an orchestrator knows to the services."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ops.operations import COMMANDS
from tools.bootstrap import ROOT


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", ROOT / "deploy" / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"HOST_IP": "192.0.2.7", "FIRST_MEDIA_PORT": "31000"}, "192.0.2.7:31003"),
        ({"HOST_IP": "2001:db8::7", "FIRST_MEDIA_PORT": "31000"}, "[2001:db8::7]:31003"),
        ({"HOST_IP": "192.0.2.7"}, "192.0.2.7"),
        ({"MEDIA_RELAY_ADVERTISE": "203.0.113.9:4000", "FIRST_MEDIA_PORT": "31000"}, "203.0.113.9:4000"),
        (
            {"MEDIA_RELAY_ADVERTISE": "203.0.113.9, [2001:db8::9]", "FIRST_MEDIA_PORT": "31000"},
            "203.0.113.9:31003,[2001:db8::9]:31003",
        ),
    ],
)  # fmt: skip
def test_a_relay_s_pod_tells_clients_its_node_and_the_port_of_its_ordinal(
    start: ModuleType, given: dict[str, str], told: str
) -> None:
    env = {"POD_NAME": "media-relay-3", **given}
    start.fit(env, "media_relay")
    assert env["MEDIA_RELAY_ADVERTISE"] == told
    assert env["MEDIA_RELAY_RELAY_ID"] == "mediarelay3"


def test_a_database_address_comes_from_a_file(start: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://auth:secret@db:5432/majlis\n")
    env = {"AUTH_DATABASE_URL_FILE": str(tmp_path / "url")}
    start.fit(env, "auth")
    assert env == {"AUTH_DATABASE_URL": "postgresql://auth:secret@db:5432/majlis"}


def test_an_image_runs_the_operator_s_command_instead_of_its_service_when_asked(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def replace(_: str, command: list[str]) -> None:
        ran.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(start.os, "execv", replace)
    monkeypatch.setattr(start.sys, "argv", ["deploy/start.py", "majlis", "doctor", "--help"])
    with pytest.raises(SystemExit):
        start.main()
    assert ran[0][1:] == ["-m", "ops", "doctor", "--help"]


def test_the_operator_s_commands_need_only_what_the_images_have() -> None:
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    locked = {
        plain(name) for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    }
    owners_of = importlib.metadata.packages_distributions()
    missing = [
        module
        for module, owners in owners_of.items()
        if not {plain(owner) for owner in owners} & {*locked, "majlis", "majlis-client", "majlis-packetcore", "pip"}
        and not module.startswith("_")
    ]
    assert "pytest" in missing
    # Libraries ask the metadata, too, for what they can do without.
    packages = sorted({owner for module in missing for owner in owners_of[module]})
    blocked = f"""
import importlib.metadata, sys
sys.modules.update(dict.fromkeys({missing!r}))
version = importlib.metadata.version
def version_of(name):
    if name in {packages!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = version_of
"""
    wanted = "".join(f"import {module}\n" for module, _ in COMMANDS.values())
    done = subprocess.run(
        [sys.executable, "-c", blocked + wanted], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
