"""Runs auth or invite as a process that kills itself, as `kill -9` would, at a chosen step of a redemption.

The steps are found by wrapping the service's transactions and its calls from outside; the service knows nothing of it.
Whenever a redemption begins the process looks at the file named by $CRASH_FILE: a number there is the step to die at, 0
only counts. Steps that were reached are appended to the same file with the ending .log.
"""

import importlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from services.common.process import run_service

_fuse: ContextVar["Fuse | None"] = ContextVar("fuse", default=None)


class Fuse:
    """Counts the steps of one redemption and dies at the chosen one."""

    def __init__(self, file: Path) -> None:
        self._at = int(file.read_text()) if file.exists() else None
        self._log = file.with_suffix(".log")
        self._count = 0

    def step(self, name: str) -> None:
        if self._at is None:
            return
        self._count += 1
        with self._log.open("a") as log:
            log.write(f"{self._count} {name}\n")
        if self._count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def step(name: str) -> None:
    """A place to die at, inside a redemption."""
    fuse = _fuse.get()
    if fuse is not None:
        fuse.step(name)


def begins(owner: type, method: str) -> None:
    """A redemption begins with this method."""
    original = getattr(owner, method)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        _fuse.set(Fuse(Path(os.environ["CRASH_FILE"])))
        return await original(self, *args, **kwargs)

    setattr(owner, method, wrapped)


def around_call(owner: type, method: str) -> None:
    """Steps before and after a call of another service."""
    original = getattr(owner, method)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        step(f"before {method}")
        answer = await original(self, *args, **kwargs)
        step(f"after {method}")
        return answer

    setattr(owner, method, wrapped)


def around_transactions(store: type) -> None:
    """Steps before each transaction, before its commit, and after it."""
    original: Callable[[Any], Any] = store.write  # type: ignore[attr-defined]

    @asynccontextmanager
    async def write(self: Any) -> AsyncIterator[Any]:
        step("before transaction")
        async with original(self) as tx:
            yield tx
            step("before commit")
        step("after commit")

    store.write = write  # type: ignore[attr-defined]


def run(service: str, environment: dict[str, str], log: str) -> None:
    """Wraps the service and runs it in this process, with its output in the file `log`."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    around_transactions(importlib.import_module(f"services.{service}.storage").SqlStore)
    if service == "auth":
        begins(importlib.import_module("services.auth.app.accounts").Accounts, "create_account")
    else:
        begins(importlib.import_module("services.invite.app.redemption").Redemptions, "redeem")
        client = importlib.import_module("services.invite.clients").AuthClient
        around_call(client, "create_account")
        around_call(client, "settle_redemption")
    run_service(importlib.import_module(f"services.{service}.__main__").main)
