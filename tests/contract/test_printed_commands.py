"""Every command that README and guides print is run by some test, or the table says why none can."""

import argparse
import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from majlis_client.cli import app

from ops.operations import COMMANDS
from tests.support.printed import PAGES, ROOT, Printed, blocks, printed

CLIENT = "tests/e2e/test_printed_commands.py"
CAPTIONS = "tests/e2e/test_captions.py"
OPS = "tests/integration/ops/test_ops.py"
NO_CLUSTER = "needs a cluster"
NO_DOCKER = "needs a container engine"

HELD_BY: dict[str, str] = {
    r"majlis rooms (open-to-web|close-to-web|ways)\b": "tests/integration/sdk/test_rooms_command.py",
    r"(\.venv/bin/)?majlis (login|rooms|create|listen|speak|raise-hand|invite)\b": CLIENT,
    r"majlis secrets\b.*\| ?kubectl": NO_CLUSTER,
    r"majlis secrets\b": "tests/contract/test_compose.py",
    r"majlis (backup|restore|migrate)\b": OPS,
    r"majlis captions\b": CAPTIONS,
    r"(MAJLIS_SERVER=\S+ MAJLIS_TOKEN=\S+ )?python -m examples\.captioner\b": CAPTIONS,
    r"majlis capacity\b": "tests/integration/sdk/test_command.py",
    r"(\.venv/bin/)?majlis reach\b": "tests/e2e/test_reach.py",
    r"majlis doors\b": "tests/integration/sdk/test_doors_command.py",
    r"majlis ladder\b": "tests/integration/sdk/test_ladder_command.py",
    r"majlis doctor\b": "tests/integration/ops/test_doctor.py",
    r"majlis export-person\b": "tests/integration/ops/test_export_person.py",
    r"majlis (interpret|booths|go-live)\b": "tests/integration/sdk/test_languages.py",
    r"majlis canary\b": "tests/e2e/test_canary.py",
    r"majlis\Z": OPS,
    r"(\w+='?[^ ]*'? )*make run\b": "tests/e2e/test_story.py",
    r"make (test|lint|contract|bench)\b|make\Z": "is what runs the tests, or measures",
    r"make (images|images-try)\b": NO_DOCKER,
    r"make control-plane\b": "needs Go",
    r"pip install \./sdk/python|python -m build sdk/python": "tests/integration/sdk/test_install.py",
    r"python3 tools/bootstrap\.py python gen": "tests/contract/test_descriptors.py",
    r"protoc --descriptor_set_in|buf generate|grpcurl -protoset": "tests/contract/test_descriptors.py",
    r"npm (pack|install)\b|python3 tools/bootstrap\.py sdk": "tests/e2e/test_node_client.py",
    r"python -m tools\.alert_rules\b": "tests/contract/test_alerts.py",
    r"python -m tools\.relay_ports\b": "tests/contract/test_manifests.py",
    r"python -m ops\.run\b": "tests/e2e/test_story.py",
    r"kubectl\b": NO_CLUSTER,
    r"docker |alias hall=|hall |majlis\(\) \{ docker": NO_DOCKER,
    r"mkdir -p var|head -c 32 /dev/urandom": "test_what_a_shell_can_do_anywhere_it_does",
    r"openssl req\b": "test_what_a_shell_can_do_anywhere_it_does",
    r"ffmpeg -re .*/speak/ROOM": "tests/e2e/test_speaking_over_https.py",
    r"https://hall\.example/listen/|ffplay\b|vlc\b": "tests/e2e/test_listen.py",
    r"curl (-N|-s) -H": "tests/integration/gateway/test_listen.py",
    r"ffmpeg\b.* -f whip\b": "tests/integration/media_relay/test_whip_muxer.py",
    r".*deploy/coturn/start\.sh": "tests/e2e/test_turn.py",
    r"state=var|url=postgresql|settings_of\(\)|env \$\(settings_of ": "tests/e2e/test_by_hand.py",
    r"sudo\b": "changes the machine",
}
"""What commands begin with, and the test that runs them, or the reason why nothing here can."""


def held_by(command: str) -> str | None:
    return next((way for pattern, way in HELD_BY.items() if re.match(pattern, command)), None)


def test_every_printed_command_is_run_somewhere_or_cannot_be() -> None:
    loose = [each for each in printed() if held_by(each.command) is None]
    assert not loose, loose
    for way in HELD_BY.values():
        assert not way.startswith("tests/") or (ROOT / way).exists(), way


def test_the_table_holds_nothing_that_is_not_printed() -> None:
    used = {next(p for p in HELD_BY if re.match(p, each.command)) for each in printed()}
    assert set(HELD_BY) == used, set(HELD_BY) - used


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_shell_can_read_what_a_page_prints(page: Path) -> None:
    for text in blocks(page):
        read = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert read.returncode == 0, read.stderr


def arguments_of(each: Printed) -> list[str]:
    """The words of a `majlis` command; those with an ellipsis leave something out on purpose."""
    if "…" in each.command.replace("mjp_…", "") or not re.match(
        r"(\.venv/bin/)?majlis [a-z-]+ -|majlis rooms", each.command
    ):
        return []
    return shlex.split(re.split(r"[>|&]", each.command)[0])[1:]


MAJLIS = [each for each in printed() if arguments_of(each)]


@pytest.mark.parametrize("each", MAJLIS, ids=lambda each: f"{each.page}: {each.command}"[:80])
def test_the_majlis_command_takes_what_is_printed(each: Printed, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    name, *rest = arguments_of(each)
    if name in COMMANDS:
        parser = argparse.ArgumentParser(exit_on_error=False)
        importlib.import_module(COMMANDS[name][0]).add_arguments(parser)
        parser.parse_args(rest)
        return
    for sound in ("question.wav", "talk.wav"):
        (tmp_path / sound).touch()
    group: Any = typer.main.get_command(app)
    with group.make_context("majlis", [name, *rest], resilient_parsing=False) as context:
        found = group.get_command(context, name)
        assert found is not None, name
        found.make_context(name, rest, parent=context)


def test_make_knows_what_is_printed() -> None:
    for each in printed():
        words = shlex.split(each.command) if each.command.startswith("make ") else []
        if words and "…" not in each.command:
            planned = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            assert planned.returncode == 0, (each, planned.stderr)


def test_what_a_shell_can_do_anywhere_it_does(tmp_path: Path) -> None:
    anywhere = [each.command for each in printed() if (held_by(each.command) or "").startswith("test_what_a_shell")]
    assert anywhere
    for command in anywhere:
        if shutil.which(command.split()[0]):
            subprocess.run(["bash", "-ec", command], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "studio.crt").exists() or not shutil.which("openssl")
