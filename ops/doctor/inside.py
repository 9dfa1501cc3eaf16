"""What only the operator reaches: the bus, databases, the disk, and the processes of `make run`."""

import asyncio
import datetime as dt
import json
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ops.copying import migrations_of
from ops.doctor.finding import Finding, host_and_port
from ops.doctor.outside import SECONDS, clock, is_local
from ops.state_folder import LEFT_ALONE, PRIVATE
from services.common.store.database import Database
from services.common.trust.private import open_to_others

_FREE_SHARE = 0.1
GREETING_SECONDS = 1.0


def bus(address: str, ca_file: Path | None = None) -> Finding:
    """A NATS server greets at this address, at once or inside of TLS, and lets in only whom it knows.

    A server that wants TLS from the first byte waits for ours and says nothing: so silence is answered by TLS, and so
    is tls://. It asks for a certificate then, and who has none hears no more of it: that it asks is what is looked for.
    """
    first, _, rest = address.rpartition("://")
    address = rest
    try:
        host, port = host_and_port(address)
        greeting = b"" if first == "tls" else _greeting(host, port)
        if not greeting:
            greeting = _greeting(host, port, ssl.create_default_context(cafile=ca_file))
    except ssl.SSLCertVerificationError as error:
        do = "give --ca the file ca.crt of its authority, and call it by a name in its certificate"
        return Finding("NATS", False, f"{address}: {error.verify_message}: {do}")
    except ssl.SSLError as error:
        if "CERTIFICATE" in (error.reason or ""):
            return Finding("NATS", True, f"{address} proves who it is and lets in only who shows a certificate")
        return Finding("NATS", False, f"{address} is not a NATS server")
    except (OSError, ValueError) as error:
        return Finding("NATS", False, f"{address} cannot be reached ({error}): is the server up?")
    if not greeting.startswith(b"INFO "):
        return Finding("NATS", False, f"{address} is not a NATS server")
    info = json.loads(greeting[5:].partition(b"\r\n")[0])
    if not (info.get("auth_required") or info.get("tls_verify") or is_local(host)):
        return Finding(
            "NATS", False, f"{address} lets everybody in: start it with the configuration of this deployment"
        )
    return Finding("NATS", True, f"{address} is NATS {info.get('version', '')}")


def _greeting(host: str, port: int, context: ssl.SSLContext | None = None) -> bytes:
    """What a server says first, empty when it waits for us; raises OSError, or SSLError when it breaks TLS off."""
    with socket.create_connection((host, port), timeout=SECONDS) as connection:
        if context is not None:
            with context.wrap_socket(connection, server_hostname=host) as wrapped:
                return wrapped.recv(4096)
        connection.settimeout(GREETING_SECONDS)
        try:
            return connection.recv(4096)
        except TimeoutError:
            return b""


def database(keeper: str, url: str) -> Iterator[Finding]:
    """A service's database answers, is of this release, and its clock is ours."""
    what, name = f"database of {keeper}", url.rsplit("@", 1)[-1]
    path = url.partition(":///")[2] if url.startswith("sqlite") else ""
    if path and not Path(path).exists():
        yield Finding(what, False, f"{path} is not there: has the system been started on this state folder?")
        return
    try:
        revision, now = asyncio.run(_ask(keeper, url))
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is what the operator must read
        do = "is the server up, and are user, password and name right?"
        yield Finding(what, False, f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}: {do}")
        return
    yield _revision(what, name, revision, _known(keeper))
    if now is not None:
        yield clock(f"clock of the {what}", now)


async def _ask(keeper: str, url: str) -> tuple[str | None, dt.datetime | None]:
    made = Database(url, keeper)
    schema = None if made.is_sqlite else keeper

    def revision_of(connection: Connection) -> str | None:
        opts = {"version_table_schema": schema} if schema else {}
        return MigrationContext.configure(connection, opts=opts).get_current_revision()

    try:
        async with asyncio.timeout(SECONDS), made.read() as session:
            revision = await (await session.connection()).run_sync(revision_of)
            now = None if made.is_sqlite else await session.scalar(text("SELECT clock_timestamp()"))
        return revision, now
    finally:
        await made.close()


def _known(keeper: str) -> list[str]:
    """The revisions of this release, newest first."""
    config = Config()
    config.set_main_option("script_location", str(migrations_of(keeper)))
    config.set_main_option("path_separator", "os")
    return [str(script.revision) for script in ScriptDirectory.from_config(config).walk_revisions()]


def _revision(what: str, name: str, revision: str | None, known: list[str]) -> Finding:
    if revision is None:
        return Finding(what, None, f"{name} answers and is empty: the service makes its tables when it starts")
    if revision not in known:
        return Finding(what, False, f"{name} is of a newer release ({revision}): run that one, or restore a backup")
    if revision != known[0]:
        return Finding(
            what, None, f"{name} is of an older release ({revision}): it is migrated when the service starts"
        )
    return Finding(what, True, f"{name} answers and is of this release ({revision})")


def disk(folder: Path, usage: Callable[[Path], "shutil._ntuple_diskusage"] = shutil.disk_usage) -> Finding:
    """Room for databases and logs."""
    if not folder.exists():
        return Finding("disk", False, f"{folder} does not exist: has it been started here?")
    left = usage(folder)
    share = left.free / left.total
    say = f"{left.free / 2**30:.1f} GiB free ({share:.0%}) at {folder}"
    good = share > _FREE_SHARE
    return Finding("disk", good, say if good else f"{say}: make room before databases cannot be written")


def parts(state: Path) -> Iterator[Finding]:
    """Each process of `make run` serves; what holds secrets or personal data is its owner's alone."""
    record = state / "run.json"
    if record.exists():
        for name, part in json.loads(record.read_text())["parts"].items():
            yield _part(name, part["ready_url"], state / "log" / f"{name}.log")
    if state.exists():
        yield private("private files", [state / name for name in PRIVATE])


def private(what: str, places: Sequence[Path]) -> Finding:
    """Whether other users of the machine are kept from files and folders, and all that is in them."""
    open_ = sorted(str(path) for place in places for path in open_to_others(place, LEFT_ALONE))
    if not open_:
        return Finding(what, True, "only their owner reads and writes them")
    more = f" and {len(open_) - 3} more" if len(open_) > 3 else ""
    do = f"chmod -R go= {' '.join(sorted({str(place) for place in places if any(open_to_others(place, LEFT_ALONE))}))}"
    why = "who reads them has keys and addresses of people"
    return Finding(what, False, f"other users of this machine may reach {', '.join(open_[:3])}{more}; {why}: {do}")


def private_database(keeper: str, url: str) -> Iterator[Finding]:
    """Whether other users of the machine are kept from a database that is a file."""
    path = url.partition(":///")[2] if url.startswith("sqlite") else ""
    if path and Path(path).exists():
        yield private(f"file of {keeper}", [Path(f"{path}{end}") for end in ("", "-wal", "-shm")])


def _part(name: str, url: str, log: Path) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - written by make run
            return Finding(name, answer.status == 200, "serves")
    except urllib.error.HTTPError as error:
        waiting = ", ".join(json.loads(error.read()).get("waiting_for", [])) or "itself"
        return Finding(name, False, f"runs and waits for {waiting}; its last lines are in {log}")
    except OSError as error:
        return Finding(name, False, f"does not answer ({error}): is `make run` running? Its last lines are in {log}")
