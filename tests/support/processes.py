"""Starts helper programs of tests and stops exactly those."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stopping(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Stops the process at the end of the block, kindly first, and lets go of its output."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
