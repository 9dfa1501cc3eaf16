"""Unit tests stand alone."""

from tests.support.alone import (
    pytest_asyncio_loop_factories,
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)

__all__ = [
    "pytest_asyncio_loop_factories",
    "pytest_runtest_call",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
]
