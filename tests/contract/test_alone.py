"""Unit tests stand alone: what would reach out or wait is caught, and time in them leaps."""

import pytest

CONFTEST = """
from tests.support.alone import (
    pytest_asyncio_loop_factories, pytest_runtest_call, pytest_runtest_setup, pytest_runtest_teardown
)
"""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty folder of unit tests."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(CONFTEST)
    return pytester


def run(folder: pytest.Pytester, test: str) -> pytest.RunResult:
    folder.makepyfile(test)
    without = ("cacheprovider", "hypothesispytest", "xdist")
    return folder.runpytest_subprocess(*(word for name in without for word in ("-p", f"no:{name}")), "--tb=short")


WANTS = {
    "a socket": [
        "socket.socket().close()",
        "[each.close() for each in socket.socketpair()]",
        "await asyncio.start_server(print, '127.0.0.1', 0)",
        "await asyncio.open_connection('127.0.0.1', 9)",
        "grpc.aio.server()",
        "grpc.aio.insecure_channel('127.0.0.1:9')",
    ],
    "a name looked up": ["socket.getaddrinfo('localhost', 80)"],
    "another program": [
        "subprocess.run(['true'])",
        "os.system('true')",
        "await asyncio.create_subprocess_exec('true')",
    ],
    "real waiting": ["time.sleep(0.001)"],
}


def test_what_reaches_out_or_waits_fails_its_test(folder: pytest.Pytester) -> None:
    lines = ["import asyncio, os, socket, subprocess, time", "import grpc"]
    for number, call in enumerate(call for calls in WANTS.values() for call in calls):
        lines.append(f"async def test_{number}(): {call}")
    result = run(folder, "\n".join(lines))
    result.assert_outcomes(failed=len(lines) - 2)
    for wants, calls in WANTS.items():
        told = [line for line in result.outlines if line.startswith("E ") and f"this one wants {wants}:" in line]
        assert len(told) == len(calls), wants


def test_a_swallowed_refusal_fails_the_test_all_the_same(folder: pytest.Pytester) -> None:
    test = """
    import socket

    def test():
        try:
            socket.socket()
        except BaseException:
            pass
    """
    run(folder, test).assert_outcomes(failed=1)


def test_a_fixture_that_reaches_out_is_caught_and_the_next_test_is_not_blamed(folder: pytest.Pytester) -> None:
    test = """
    import socket
    import pytest

    @pytest.fixture
    def opened():
        yield
        socket.socket()

    def test_first(opened): pass

    def test_second(): pass
    """
    run(folder, test).assert_outcomes(passed=2, errors=1)


def test_an_hour_of_sleep_is_over_at_once_and_in_order(folder: pytest.Pytester) -> None:
    test = """
    import asyncio

    async def test():
        loop, woken = asyncio.get_running_loop(), []

        async def sleeper(seconds):
            await asyncio.sleep(seconds)
            woken.append((seconds, loop.time()))

        began = loop.time()
        await asyncio.gather(sleeper(3600), sleeper(60), sleeper(0.5))
        assert woken == [(0.5, began + 0.5), (60, began + 60), (3600, began + 3600)]
    """
    run(folder, test).assert_outcomes(passed=1)


def test_time_stands_still_while_a_thread_works(folder: pytest.Pytester) -> None:
    test = """
    import asyncio

    def work():
        return sum(range(1_000_000))

    async def test():
        async with asyncio.timeout(0.001):
            assert await asyncio.to_thread(work) == 499999500000
    """
    run(folder, test).assert_outcomes(passed=1)


def test_a_literal_address_asks_nobody(folder: pytest.Pytester) -> None:
    test = """
    import socket

    def test():
        assert socket.getaddrinfo("127.0.0.1", 80) and socket.getaddrinfo("::1", 80)
    """
    run(folder, test).assert_outcomes(passed=1)
