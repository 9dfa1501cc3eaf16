"""A throw-away PostgreSQL, and the database fixture that runs a test on SQLite and on PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.common.ids import new_id
from services.common.store.database import Database
from tests.support.processes import stopping


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def _as_server_user(directory: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: hand the directory to the user that the packages make for it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _start(binaries: Path, directory: Path) -> "subprocess.Popen[bytes]":
    data, user = directory / "data", _as_server_user(directory)
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    make: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "app", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(
        make,
        check=True, stdout=subprocess.DEVNULL, cwd=directory, env=environment, **user,
    )  # fmt: skip
    options = ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60"]
    flags = [part for option in options for part in ("-c", option)]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-k", directory, *flags],
        cwd=directory, env=environment, stderr=subprocess.DEVNULL, **user,
    )  # fmt: skip
    ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", directory, "-U", "app", "-d", "postgres"]
    for _ in range(400):
        if subprocess.run(ready, check=False).returncode == 0:
            return server
        if server.poll() is not None:
            raise RuntimeError(f"postgres ended with {server.returncode}")
        time.sleep(0.05)
    raise RuntimeError("postgres does not accept connections")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a server for the whole run: $TEST_DATABASE_URL, else one of our own on a private socket."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine; set TEST_DATABASE_URL to use another one")
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = _start(binaries, directory)
        with stopping(server, signal.SIGINT):
            yield f"postgresql+asyncpg://app@/postgres?host={directory}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of each kind; on PostgreSQL a schema of the test's own."""
    if request.param == "sqlite":
        made = Database(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    else:
        made = Database(request.getfixturevalue("postgres_url"), schema=f"test_{new_id()}")
    yield made
    await made.close()
