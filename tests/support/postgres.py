"""A throw-away PostgreSQL, and the database fixture that runs a test on SQLite and on PostgreSQL."""

import contextlib
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


def _make(binaries: Path, directory: Path) -> None:
    make: list[str | Path] = [
        binaries / "initdb", "-D", directory / "data", "-U", "app", "-A", "trust", "-E", "UTF8", "--no-sync",
    ]  # fmt: skip
    user = _as_server_user(directory)
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=directory, env=_environment(), **user)


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}


def _serve(binaries: Path, directory: Path, *further: str) -> "subprocess.Popen[bytes]":
    options = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=60", *further]
    flags = [part for option in options for part in ("-c", option)]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", directory / "data", "-k", directory, *flags],
        cwd=directory, env=_environment(), stderr=subprocess.DEVNULL, **_as_server_user(directory),
    )  # fmt: skip
    ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", directory, "-U", "app", "-d", "postgres"]
    for _ in range(400):
        if subprocess.run(ready, check=False).returncode == 0:
            return server
        if server.poll() is not None:
            raise RuntimeError(f"postgres ended with {server.returncode}")
        time.sleep(0.05)
    raise RuntimeError("postgres does not accept connections")


class PostgresServer:
    """A server of a test's own, which it may freeze, stop and start again."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        _make(binaries, directory)
        self.url = f"postgresql+asyncpg://app@/postgres?host={directory}"
        self._binaries, self._directory = binaries, directory
        self._frozen: list[int] = []
        self.start()

    def start(self) -> None:
        """Starts it and waits until it accepts connections; what it has committed outlives its end."""
        self._server = _serve(self._binaries, self._directory)

    def freeze(self) -> None:
        """The whole server stands still: it takes connections, as the system does for it, and answers nothing."""
        first = self._server.pid
        os.kill(first, signal.SIGSTOP)
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        self._frozen = [*map(int, children), first]
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends a freeze."""
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def stop(self) -> None:
        """Ends it at once, and all connections with it (an immediate shutdown)."""
        self.thaw()
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(10)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # A socket's path is short.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _found() -> Path:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine; set TEST_DATABASE_URL to use another one")
    return binaries


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A server for one test alone."""
    binaries = _found()
    with _folder() as directory:
        server = PostgresServer(binaries, directory)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a server for the whole run: $TEST_DATABASE_URL, else one of our own on a private socket."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    binaries = _found()
    with _folder() as directory:
        _make(binaries, directory)
        with stopping(_serve(binaries, directory, "synchronous_commit=off"), signal.SIGINT):
            yield f"postgresql+asyncpg://app@/postgres?host={directory}"


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of each kind; on PostgreSQL a schema of the test's own."""
    if request.param == "sqlite":
        made = Database(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    else:
        made = Database(request.getfixturevalue("postgres_url"), schema=f"test_{new_id()}")
    yield made
    await made.close()
