"""After a storm of joins the relay's memory goes back to the system, not only to the allocator."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_memory_goes_back_to_the_system_after_a_storm_of_handshakes() -> None:
    # In a process of its own: what other tests freed would be given back with it.
    command = [sys.executable, "-m", "tests.load.handshake_storm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    kib = json.loads(done.stdout)
    grown = kib["held"] - kib["before"]
    assert grown > 10_000, f"the storm was none: {kib}"
    assert kib["trimmed"] - kib["before"] < grown / 2, kib
