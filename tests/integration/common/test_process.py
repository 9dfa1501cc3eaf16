"""A service as a process: signals, limits, and plain words when it cannot start."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import stopping

ROOT = Path(__file__).resolve().parents[3]

SERVICE = """
import asyncio, os, resource, sys
from pathlib import Path
from services.common.net import PortTaken
from services.common.process import Stop, run_service, write_ready_file
from services.common.settings import SettingsError

async def main(stop: Stop) -> None:
    kind = sys.argv[1]
    if kind == "bad setting":
        raise SettingsError("OVEN_HEET is not a setting")
    if kind == "taken":
        raise PortTaken("127.0.0.1:80")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    write_ready_file(Path(sys.argv[2]), {"grpc": 1234, "raised": int(soft == hard)})
    await stop.wait()
    print("draining", flush=True)
    if kind == "stuck":
        await asyncio.sleep(60)
    print("drained", flush=True)

run_service(main)
"""


def start(kind: str, tmp_path: Path) -> "subprocess.Popen[bytes]":
    script = tmp_path / "oven" / "__main__.py"
    script.parent.mkdir()
    script.write_text(SERVICE)
    return subprocess.Popen(
        [sys.executable, str(script), kind, str(tmp_path / "ready.json")],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ready(tmp_path: Path) -> dict[str, int]:
    path = tmp_path / "ready.json"
    for _ in range(1000):
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.01)
    raise AssertionError("the service did not become ready")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_well(tmp_path: Path, how: signal.Signals) -> None:
    process = start("good", tmp_path)
    with stopping(process):
        ports = ready(tmp_path)
        assert (ports["grpc"], ports["pid"]) == (1234, process.pid)
        process.send_signal(how)
        out, _ = process.communicate(timeout=10)
        assert (process.returncode, out) == (0, b"draining\ndrained\n")


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    process = start("stuck", tmp_path)
    with stopping(process):
        ready(tmp_path)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == b"draining\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 128 + signal.SIGTERM


def test_the_open_files_limit_is_raised_to_the_hard_one(tmp_path: Path) -> None:
    process = start("good", tmp_path)
    with stopping(process):
        assert ready(tmp_path)["raised"] == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [("bad setting", "oven: OVEN_HEET is not a setting"), ("taken", "oven: cannot listen on 127.0.0.1:80")],
)
def test_what_hinders_a_start_is_said_in_one_plain_line(tmp_path: Path, kind: str, words: str) -> None:
    process = start(kind, tmp_path)
    with stopping(process):
        _, err = process.communicate(timeout=20)
        assert process.returncode == 2
        assert err.decode().startswith(words)
        assert err.count(b"\n") == 1
