"""Databases that take nothing for a while: on a disk that is full, or opened for reading alone."""

import contextlib
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from services.common.store.database import Database


@asynccontextmanager
async def read_only(database: Database) -> AsyncIterator[None]:
    """The database refuses every write, as on a disk that was remounted for reading, or as a standby does."""

    def forbid(connection: Any, _: Any) -> None:
        connection.cursor().execute(
            "PRAGMA query_only=ON" if database.is_sqlite else "SET default_transaction_read_only = on"
        )
        connection.commit()

    event.listen(database.engine.sync_engine, "connect", forbid)
    await database.engine.dispose()
    try:
        yield
    finally:
        event.remove(database.engine.sync_engine, "connect", forbid)
        await database.engine.dispose()


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A disk of one megabyte at that folder; skips the test where one may not be mounted."""
    place.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def full(place: Path) -> Iterator[None]:
    """Fills what is left of the disk, and whatever comes free meanwhile; gives it back in the end."""
    filler, is_over = place / "filler", threading.Event()
    filler.touch()

    def fill() -> None:
        with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)

    def go_on() -> None:
        while not is_over.wait(0.05):
            fill()

    fill()
    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        filler.unlink()
