"""What the kernel says of another process."""

import os
import subprocess
import sys

from tests.load import machine


def test_environment_of_a_process_is_read() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MEDIA_RELAY_RELAY_ID": "relay00007"},
    ) as process:
        # The kernel shows the variables only once the new program is there.
        assert process.stdout is not None
        process.stdout.readline()
        assert machine.environment(process.pid)["MEDIA_RELAY_RELAY_ID"] == "relay00007"
        process.communicate(b"\n")
