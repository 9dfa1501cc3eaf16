"""A service as a process: signals, limits, and plain words when it cannot start."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import stopping

ROOT = Path(__file__).resolve().parents[3]

SERVICE = r"""
import asyncio, gc, os, resource, socket, struct, sys, threading, time, warnings
from pathlib import Path
from services.common.sight import log
from services.common.sight.metrics import Metrics
from services.common.net import PortTaken
from services.common.process import Stop, run_service, write_ready_file
from services.common.settings import SettingsError

class Odd:
    def __del__(self):
        raise ValueError("in passing")

def in_a_thread():
    raise ValueError("elsewhere")

async def go_wrong(kind):
    if kind == "json everywhere":
        threading.Thread(target=in_a_thread).start()
        Odd()
        warnings.warn("this is old")
        asyncio.get_running_loop().create_task(asyncio.sleep(0, 1 / 1)).cancel()
        asyncio.get_running_loop().call_exception_handler({"message": "a callback failed"})
        log.get_logger("bake").warning("a line %s that cannot be made", 1, 2)
    elif kind == "json bad setting":
        raise SettingsError("OVEN_HEET is not a setting")
    elif kind == "json crash":
        raise RuntimeError("the oven burns")
    elif kind == "json stalled scrape":
        await stall()

async def stall():
    metrics = Metrics("oven")
    for number in range(300):
        metrics.counter(f"majlis_pizzas_{number}_total", "Pizzas. " * 500)
    port = await metrics.serve("127.0.0.1:0")
    before = threading.active_count()
    for _ in range(5):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            client.recv(100)
    while threading.active_count() > before:
        await asyncio.sleep(0.01)
    await metrics.stop()

async def main(stop: Stop) -> None:
    kind = sys.argv[1]
    if kind == "bad setting":
        raise SettingsError("OVEN_HEET is not a setting")
    if kind == "taken":
        raise PortTaken("127.0.0.1:80")
    if kind.startswith("json "):
        log.configure("oven", "json", "info")
        await go_wrong(kind)
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


def lines_of(kind: str, tmp_path: Path) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a service whose lines are for programs, and those lines: each must be JSON."""
    process = start(kind, tmp_path)
    with stopping(process):
        if kind in ("json everywhere", "json stalled scrape"):
            ready(tmp_path)
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        return process.returncode, [json.loads(line) for line in err.decode().splitlines()]


def test_whatever_goes_wrong_anywhere_is_one_json_line_where_programs_read(tmp_path: Path) -> None:
    code, lines = lines_of("json everywhere", tmp_path)
    assert code == 0
    assert {line["service"] for line in lines} == {"oven"}
    events = {line["event"]: line for line in lines}
    assert "ValueError: elsewhere" in events["a thread ended by an error"]["exception"]
    assert "ValueError: in passing" in events["an error that nobody could be told"]["exception"]
    assert "a callback failed" in events
    assert any("this is old" in event for event in events)


def test_a_crash_and_what_hinders_a_start_are_json_lines_too(tmp_path: Path) -> None:
    code, (line,) = lines_of("json crash", tmp_path)
    assert (code, line["event"]) == (1, "the process ends by an error")
    assert "RuntimeError: the oven burns" in line["exception"]
    (tmp_path / "oven" / "__main__.py").unlink()
    (tmp_path / "oven").rmdir()
    code, (line,) = lines_of("json bad setting", tmp_path)
    assert (code, line["event"], line["why"]) == (2, "cannot go on", "OVEN_HEET is not a setting")


def test_scrapes_that_stand_still_are_one_json_line_and_no_traceback(tmp_path: Path) -> None:
    code, lines = lines_of("json stalled scrape", tmp_path)
    assert code == 0
    (line,) = lines
    assert line["event"].startswith("a scrape or probe was not answered to its end: ")
    assert line["level"] == "warning"
    assert "exception" not in line
