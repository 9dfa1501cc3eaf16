"""One database of a service, SQLite or PostgreSQL, with short write transactions that cannot half-conflict."""

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlencode

from sqlalchemy import URL, Connection, DateTime, Dialect, MetaData, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.types import TypeDecorator

from services.common.errors import Conflict, StorageUnavailable
from services.common.forms import DATABASE_URL
from services.common.settings import SettingsError
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.throttle import Throttle

__all__ = ["Conflict", "Database", "UtcDateTime", "retry_conflicts"]

P = ParamSpec("P")
R = TypeVar("R")

_WRITING = "writing"
_PATIENCE = "patience"
_BUSY_SHARE = 0.5
"""Of what a transaction may take to begin, spent on waiting inside SQLite: what waits behind it is told, too."""
_WROTE = "wrote"
ANSWER_SECONDS = 5.0
"""How long a transaction may take from wanting it: half of what a call has, so that callers are told why."""
SILENT_SECONDS = 1.0
"""How long it may take to begin while the database answers nobody: what many wait for is told to each soon."""
MOST_CONNECTIONS = 20
_KEPT = 10
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
_URLS = DATABASE_URL.words
# Serialization failure and deadlock (PostgreSQL, appendix A).
_RETRYABLE_SQLSTATES = {"40001", "40P01"}

# Classes of states of PostgreSQL in which nothing can be written or nobody answers: connection, resources, shutdown.
_AWAY_SQLSTATES = ("08", "53", "57P")
_READ_ONLY_SQLSTATE = "25006"
# Primary result codes of SQLite: busy, locked, read-only, I/O error, full, cannot open.
_AWAY_SQLITE = {5, 6, 8, 10, 13, 14}
_AGAIN_SECONDS = 2.0
_COMPLAIN_SECONDS = 60.0

_log = get_logger("database")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored in UTC, always returned aware, although SQLite forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuses a naive moment, which would mean another one on another machine."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Gives SQLite's naive moments their zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Sessions on one database.

    `url` is `sqlite+aiosqlite:///path` (one file of this service alone) or `postgresql://...`; on PostgreSQL
    everything lives in the schema `schema`.
    """

    def __init__(self, url: str, schema: str = "") -> None:
        self.url = url
        self.schema = schema
        self._silent = set[bool]()
        """Whether reading (False) or writing (True) got no answer last time."""
        self.engine = _engine(url, schema, self._patience)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        event.listen(self.engine.sync_engine, "after_cursor_execute", _note_writing)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # SQLite has one writer: waiting here is fair, waiting inside SQLite is polling.
        self._writer = asyncio.Lock()
        self._complaint = Throttle(_COMPLAIN_SECONDS)
        self._is_away = False
        self._waited: Callable[[float], None] = _unseen
        self._conflicted: Callable[[], None] = _unseen
        self._refused: Callable[[], None] = _unseen

    def show(self, metrics: Metrics) -> None:
        """Counts and times what waits for this database."""
        waits = metrics.histogram("majlis_database_wait_seconds", "From wanting to write until the write could begin.")
        conflicts = metrics.counter("majlis_database_conflicts_total", "Writes undone because another came between.")
        used = metrics.gauge("majlis_database_connections", "Connections to the database in use.")
        most = metrics.gauge("majlis_database_connections_limit", "Connections to the database there may be.")
        refusals = metrics.counter(
            "majlis_database_refusals_total",
            "Transactions refused: disk full, database locked or away.",
        )
        self._waited, self._conflicted, self._refused = waits.observe, conflicts.inc, refusals.inc
        pool: Any = self.engine.pool
        used.set_function(pool.checkedout)
        most.set(MOST_CONNECTIONS)

    @contextlib.asynccontextmanager
    async def write(self, seconds: float | None = ANSWER_SECONDS) -> AsyncIterator[AsyncSession]:
        """A transaction that commits at the end of the block and rolls back when it raises.

        Raises Conflict when another writer got in between, and StorageUnavailable when the database takes nothing now
        or nothing came of it in time (`seconds` for all of it, None for as long as it takes); nothing was changed then,
        as far as can be known of a database that fell silent while it committed.
        """
        wanted = time.perf_counter()
        async with self._in_time(seconds, writing=True) as limit, contextlib.AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._writer)
            try:
                async with self._sessions() as session:
                    notes = await self._connect(session, {_WRITING: True})
                    notes.pop(_WROTE, None)
                    self._waited(time.perf_counter() - wanted)
                    _go_on(limit, seconds)
                    yield session
                    await session.commit()
            except DBAPIError as error:
                # Whoever holds SQLite's lock for longer than it waits is no other writer of ours.
                waited_out = self.is_sqlite and time.perf_counter() - wanted >= 0.9 * _BUSY_SHARE * SILENT_SECONDS
                if is_retryable(error) and not waited_out:
                    self._conflicted()
                    raise Conflict("another change came between") from error
                if is_away(error):
                    raise self._away(error) from error
                raise
        # A full disk lets a transaction that wrote nothing end as ever.
        if self._is_away and notes.get(_WROTE):
            self._is_away = False
            _log.warning("the database takes writes again", schema=self.schema)

    @contextlib.asynccontextmanager
    async def read(self, seconds: float | None = ANSWER_SECONDS) -> AsyncIterator[AsyncSession]:
        """A transaction that sees one state of the database and never commits. Raises StorageUnavailable."""
        try:
            async with self._in_time(seconds, writing=False) as limit, self._sessions() as session:
                await self._connect(session, {})
                _go_on(limit, seconds)
                yield session
        except DBAPIError as error:
            if is_away(error):
                raise self._away(error) from error
            raise

    @contextlib.asynccontextmanager
    async def _in_time(self, seconds: float | None, *, writing: bool) -> AsyncIterator[asyncio.Timeout]:
        """Ends what the database does not answer; while it is silent it has less time to begin."""
        began = time.perf_counter()
        limit = asyncio.timeout(None if seconds is None else min(seconds, self._patience(writing)))
        try:
            async with limit:
                yield limit
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._silent.add(writing)
            raise self._away(TimeoutError("it does not answer")) from error
        except (asyncio.CancelledError, StorageUnavailable):
            # Some callers have less patience than this.
            if time.perf_counter() - began >= _BUSY_SHARE * SILENT_SECONDS:
                self._silent.add(writing)
            raise
        self._silent.discard(writing)

    def _patience(self, writing: bool) -> float:
        """Seconds for which a transaction waits to begin."""
        return SILENT_SECONDS if writing in self._silent else ANSWER_SECONDS

    async def _connect(self, session: AsyncSession, options: dict[str, Any]) -> dict[Any, Any]:
        """Begins; returns the notes that go with the connection."""
        try:
            return (await session.connection(execution_options=options)).sync_connection.info  # type: ignore[union-attr]
        except (OSError, PoolTimeout) as error:
            # Drivers let the system's own errors through while they connect.
            raise self._away(error) from error

    def _away(self, error: Exception) -> StorageUnavailable:
        """One line a minute for an operator; callers are told each."""
        self._is_away = True
        self._refused()
        left_out = self._complaint.passes()
        if left_out is not None:
            why = str(getattr(error, "orig", None) or error)
            _log.error("the database takes nothing now", schema=self.schema, error=why, lines_left_out=left_out)
        return StorageUnavailable("what this needs cannot be written or read now", retry_after_seconds=_AGAIN_SECONDS)

    async def create_all(self, metadata: MetaData) -> None:
        """Creates missing tables as the code has them now; deployments use `migrate` instead."""
        async with self.engine.begin() as connection:
            if self.schema and not self.is_sqlite:
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
            await connection.run_sync(metadata.create_all)

    async def close(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


def _go_on(limit: asyncio.Timeout, seconds: float | None) -> None:
    """What has begun has its whole time: the database answers."""
    if seconds is not None and not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time() + seconds)


def _note_writing(connection: Connection, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
    if context.isinsert or context.isupdate or context.isdelete:
        connection.info[_WROTE] = True


def _unseen(*_: float) -> None:
    """Where waits go that nobody counts."""


def is_retryable(error: DBAPIError) -> bool:
    """Whether the transaction lost against another one and may simply be run again."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state in _RETRYABLE_SQLSTATES or "database is locked" in str(error.orig)


def is_away(error: DBAPIError) -> bool:
    """Whether the database cannot be written or reached at all just now, whatever is asked of it."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _AWAY_SQLITE
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
    return error.connection_invalidated or state == _READ_ONLY_SQLSTATE or state.startswith(_AWAY_SQLSTATES)


def retry_conflicts(times: int = 5) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Runs an async function again when it raises Conflict, `times` times in all, after short random pauses."""

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(function)
        async def retrying(*args: P.args, **kwargs: P.kwargs) -> R:
            for attempt in range(1, times):
                try:
                    return await function(*args, **kwargs)
                except Conflict:
                    await asyncio.sleep(random.uniform(0.0, 0.01 * 2**attempt))  # noqa: S311 (jitter)
            return await function(*args, **kwargs)

        return retrying

    return decorate


def _parsed(url: str) -> URL:
    """The address with the driver that is here: operators of PostgreSQL hand out addresses without one."""
    try:
        parsed = make_url(url)
    except Exception as error:
        # It may hold a password, and this goes into a log.
        raise SettingsError(f"a database URL is {_URLS}; the one given is no URL") from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise SettingsError(f"{parsed.get_backend_name()} is not supported: a database URL is {_URLS}")
    return parsed.set(drivername=driver)


def _engine(url: str, schema: str, patience: Callable[[bool], float]) -> AsyncEngine:
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed, pool_size=_KEPT, max_overflow=MOST_CONNECTIONS - _KEPT)
        _set_up_sqlite(engine, patience)
        return engine
    arguments: dict[str, Any] = {"timeout": 5, "command_timeout": 30}
    if schema:
        arguments["server_settings"] = {"search_path": schema}
    tls = {key: value for key, value in parsed.query.items() if key.startswith("ssl") and key != "ssl"}
    if tls:
        # libpq's words (sslmode, sslrootcert): the driver knows them in an address of its own only.
        arguments["dsn"] = "postgresql://?" + urlencode(tls, doseq=True)
        parsed = parsed.difference_update_query(tls)
    engine = create_async_engine(
        parsed,
        connect_args=arguments,
        pool_size=_KEPT,
        max_overflow=MOST_CONNECTIONS - _KEPT,
        pool_timeout=5,
        pool_recycle=1800,
        pool_pre_ping=True,
    )
    event.listen(engine.sync_engine, "invalidate", _hang_up)
    return engine


def _hang_up(connection: Any, *_: Any) -> None:
    """A farewell to a server that stands still takes seconds, and whoever waits for it has given up already."""
    if connection is not None:
        connection.driver_connection.terminate()


def _set_up_sqlite(engine: AsyncEngine, patience: Callable[[bool], float]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        # The driver must not begin transactions by itself: `on_begin` does, in the right mode.
        connection.isolation_level = None
        cursor = connection.cursor()
        # First, so that the others wait for another process instead of failing.
        cursor.execute(_busy_timeout(record.info, patience(True)))
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        writing = bool(connection.get_execution_options().get(_WRITING, False))
        # A thread that waits inside SQLite cannot be told to stop: it must not wait for longer than its caller.
        if connection.info.get(_PATIENCE) != patience(writing):
            connection.exec_driver_sql(_busy_timeout(connection.info, patience(writing)))
        # A deferred transaction that reads and then writes fails at once when another wrote meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _busy_timeout(notes: dict[Any, Any], seconds: float) -> str:
    """How long SQLite waits for another process, in its words."""
    notes[_PATIENCE] = seconds
    return f"PRAGMA busy_timeout={max(1, int(seconds * 1000 * _BUSY_SHARE))}"
