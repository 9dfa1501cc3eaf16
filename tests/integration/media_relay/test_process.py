"""The relay as a process: it says its ports, stops when told, and says plainly why it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.media_relay.fleet.machine import machine
from services.programme.work import Costs
from tests.support.processes import free_port, stopping

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def relay(folder: Path, **changes: str) -> Iterator["subprocess.Popen[bytes]"]:
    secret = folder / "secret"
    secret.write_text("a secret for tests only")
    settings = {
        "SERVICE_SECRET_FILE": str(secret),
        "ROOM_DIRECTORY_ADDRESS": f"127.0.0.1:{free_port()}",
        "NATS_URL": f"nats://127.0.0.1:{free_port()}",
        "READY_FILE": str(folder / "ready.json"),
        "PACKETS_PER_SECOND_BUDGET": "10000",
        "LOG_FORMAT": "text",
        **changes,
    }
    env = {key: value for key, value in os.environ.items() if not key.startswith("MEDIA_RELAY_")}
    env |= {f"MEDIA_RELAY_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "services.media_relay"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with stopping(process):
        yield process


def ports(folder: Path) -> dict[str, int]:
    for _ in range(400):
        if (folder / "ready.json").exists():
            loaded: dict[str, int] = json.loads((folder / "ready.json").read_text())
            return loaded
        time.sleep(0.05)
    raise AssertionError("the relay did not get ready")


def budget(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    line = next(each for each in text.splitlines() if each.startswith("majlis_media_relay_budget"))
    return float(line.split()[-1])


def output(process: "subprocess.Popen[bytes]") -> str:
    text, _ = process.communicate(timeout=20)
    return text.decode()


def test_it_serves_with_bus_and_directory_away_and_stops_cleanly_when_told(tmp_path: Path) -> None:
    with relay(tmp_path) as process:
        found = ports(tmp_path)
        assert set(found) == {"grpc", "metrics", "media", "pid"}
        with urllib.request.urlopen(f"http://127.0.0.1:{found['metrics']}/readyz", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        text = output(process)
        assert process.returncode == 0, text
        assert "Traceback" not in text


def test_a_taken_media_port_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        with relay(tmp_path, BIND=f"127.0.0.1:{port}") as process:
            text = output(process)
            assert process.returncode == 2
            assert f"127.0.0.1:{port}" in text
            assert "Traceback" not in text


def test_an_address_family_this_machine_lacks_does_not_stop_the_other(tmp_path: Path) -> None:
    # 192.0.2.1 is for documentation (RFC 5737): no machine has it.
    with relay(tmp_path, BIND="127.0.0.1:0,192.0.2.1:0") as process:
        assert ports(tmp_path)["media"]
        process.send_signal(signal.SIGTERM)
        assert "192.0.2.1" in output(process)


def test_a_measured_budget_is_used_when_none_is_given(tmp_path: Path) -> None:
    with relay(tmp_path, PACKETS_PER_SECOND_BUDGET="") as process:
        found = ports(tmp_path)
        unmeasured = machine(None).limits(Costs()).usual
        for _ in range(200):
            if budget(found["metrics"]) != unmeasured:
                break
            time.sleep(0.05)
        assert 1000 < budget(found["metrics"]) != unmeasured
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in output(process)
