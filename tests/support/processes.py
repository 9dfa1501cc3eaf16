"""Starts helper programs of tests and stops exactly those."""

import os
import random
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_TEST_PORTS = range(10_000, 20_000)
"""Below those that systems give to outgoing connections, and apart from those that `make run` draws its own from."""
_BLOCKED_BY_BROWSERS = frozenset({10_080})
"""Of those, the ones that browsers open no page at (https://fetch.spec.whatwg.org/#port-blocking)."""
_TOGETHER = 4
_SHARES = 4
"""Workers of a run never draw the same, for what is drawn is taken only later."""
_draws = random.Random()
_lately: deque[int] = deque(maxlen=200)
"""What this worker drew last: who asks for several takes none of them before it has all."""


def free_port(*kinds: socket.SocketKind) -> int:
    """A loopback port, the first of up to four in a row, that was free a moment ago: one of each kind, TCP if none."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    for _ in range(200):
        block = _draws.randrange(len(_TEST_PORTS) // _TOGETHER // _SHARES) * _SHARES + share
        first = _TEST_PORTS.start + block * _TOGETHER
        if first in _lately or not _BLOCKED_BY_BROWSERS.isdisjoint(range(first, first + _TOGETHER)):
            continue
        if all(_is_free(first + offset, kind) for offset, kind in enumerate(kinds or (socket.SOCK_STREAM,))):
            _lately.append(first)
            return first
    raise RuntimeError(f"no free ports among {_TEST_PORTS.start} to {_TEST_PORTS.stop - 1}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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
