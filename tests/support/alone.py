"""A pytest plugin for unit tests: they stand alone, without sockets, other programs or real waiting.

Import its hooks into the `conftest.py` of a folder. Loops run by a clock of their own: whoever sleeps an hour wakes at
once, an hour later by `loop.time()`. A socket, another program or `time.sleep` fails the test, even where code of ours
swallows the exception, for each offence is remembered until the test ends.
"""

import asyncio
import ipaddress
import selectors
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

_LOOK_UP = "socket.getaddrinfo"
_FORBIDDEN = {
    "socket.__new__": "a socket",
    _LOOK_UP: "a name looked up",
    "subprocess.Popen": "another program",
    "os.system": "another program",
    "os.exec": "another program",
    "os.fork": "another process",
    "os.forkpty": "another process",
    "os.posix_spawn": "another program",
    "time.sleep": "real waiting",
}
# What no audit event tells of in time. CPython tells of sleep only since 3.13. gRPC opens sockets in its core, and ends
# the whole process when the pair by which it wakes the loop is refused.
_REPLACED: tuple[tuple[Any, str, str], ...] = (
    (time, "sleep", "real waiting"),
    *(
        (module, name, "a socket")
        for module in (grpc, grpc.aio)
        for name in ("server", "insecure_channel", "secure_channel")
    ),
)
# How long a loop that has nothing to do waits for threads of its own before the test has failed.
_PATIENCE_SECONDS = 10.0


def _is_address(host: Any) -> bool:
    """Nobody is asked for what is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Guard:
    """Watches while a test runs. An audit hook stays for good, so it asks whether somebody watches."""

    def __init__(self) -> None:
        self.watching = False
        self.offences: list[str] = []
        self._hooked = False
        self._real = [(module, name, getattr(module, name)) for module, name, _ in _REPLACED]

    def watch(self) -> None:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._heard)
        self.watching, self.offences = True, []
        for module, name, what in _REPLACED:
            setattr(module, name, lambda *_, what=what, **__: self.refuse(what))

    def rest(self) -> None:
        self.watching = False
        for module, name, real in self._real:
            setattr(module, name, real)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event in _FORBIDDEN and not (event == _LOOK_UP and _is_address(arguments[0])):
            self.refuse(_FORBIDDEN[event])

    def refuse(self, what: str) -> None:
        message = f"a unit test stands alone, this one wants {what}: give it a fake, or move it to tests/integration"
        self.offences.append(message)
        pytest.fail(message)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What the test's own machinery needs."""
        watching, self.watching = self.watching, False
        try:
            yield
        finally:
            self.watching = watching


_guard = _Guard()


class _LeapingSelector(selectors.BaseSelector):
    """Nobody but this process's own threads writes to a loop of a unit test, so its waits are leaps."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0
        self.threads_at_work: Callable[[], bool] = lambda: False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.threads_at_work():
            ready = self._real.select(_PATIENCE_SECONDS)
            if not ready:
                _guard.refuse("something that never comes")
            return ready
        self.now += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where everybody waits, and then at once."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        self._leaping.threads_at_work = self._has_threads_at_work
        self._at_work: set[asyncio.Future[Any]] = set()
        with _guard.aside():  # a loop wakes itself by a pair of sockets
            super().__init__(self._leaping)
        # Timers nearer than this fire together; leaps land exactly on a timer, so nothing needs to be near.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._leaping.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Time stands still until threads have answered."""
        future = super().run_in_executor(executor, func, *args)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return future

    def _has_threads_at_work(self) -> bool:
        return bool(self._at_work)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests of the folder run on leaping loops."""
    return {"leaping": LeapingLoop}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """From its first fixture on a test is watched."""
    _guard.watch()
    return (yield from _telling())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A refusal that the tested code swallowed fails the test all the same."""
    return (yield from _telling())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """So does one of what a test left running; with its last fixture the watch ends."""
    try:
        return (yield from _telling())
    finally:
        _guard.rest()


def _telling() -> Generator[None, None, None]:
    try:
        yield
        if _guard.offences:
            pytest.fail(_guard.offences[0], pytrace=False)
    finally:
        _guard.offences.clear()
