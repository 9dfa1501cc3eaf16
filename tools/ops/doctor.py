"""Looks at a deployment from where it is run and says, for each thing that can be wrong, what to do about it."""

import argparse
import asyncio
import datetime as dt
import email.utils
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text

from services.common.database import Database

_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool | None
    """None: it cannot be told from here."""
    say: str


def _connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=_SECONDS)


def public_origin(url: str) -> Iterator[Finding]:
    """The page answers, its certificate holds for a while, and its clock is ours."""
    parts = urlsplit(url)
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the operator's own address
            date = answer.headers.get("Date", "")
            yield Finding("page", answer.status == 200, f"{url} answers {answer.status}")
    except (urllib.error.URLError, OSError) as error:
        yield Finding(
            "page", False, f"{url} does not answer ({error}): is the gateway up, the name right, the port open?"
        )
        return
    if parts.scheme == "https":
        yield certificate(parts.hostname or "", parts.port or 443)
    if date:
        skew = abs((email.utils.parsedate_to_datetime(date) - dt.datetime.now(dt.UTC)).total_seconds())
        say = f"its clock and this one differ by {skew:.0f} s"
        yield Finding("clock", skew < 15, say if skew < 15 else f"{say}: run a time service (chrony) on both")


def certificate(host: str, port: int) -> Finding:
    """How long the certificate lasts."""
    context = ssl.create_default_context()
    try:
        with context.wrap_socket(_connect(host, port), server_hostname=host) as wrapped:
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {})["notAfter"]))
    except (OSError, KeyError) as error:
        return Finding("certificate", False, f"{host}:{port}: {error}")
    days = (ends - time.time()) / 86400
    say = f"lasts {days:.0f} days more"
    return Finding("certificate", days > 7, say if days > 7 else f"{say}: renew it now")


def tcp(what: str, address: str) -> Finding:
    """A TCP port accepts connections."""
    host, _, port = address.rpartition(":")
    try:
        _connect(host.strip("[]"), int(port)).close()
    except (OSError, ValueError) as error:
        return Finding(
            what, False, f"{address} cannot be reached ({error}): firewall, port forwarding, or it is not running"
        )
    return Finding(what, True, f"{address} accepts connections")


def media(address: str) -> Finding:
    """Whether UDP is refused. A relay answers nobody it has not invited, so silence is what a good one gives too."""
    host, _, port = address.rpartition(":")
    try:
        family = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family[0], socket.SOCK_DGRAM) as probe:
            probe.settimeout(1.0)
            probe.connect(family[4])
            probe.send(b"\x00")
            probe.recv(1)
    except TimeoutError:
        say = f"{address} does not refuse UDP, which an open port and a silent firewall have in common; "
        return Finding("media", None, say + "`majlis listen --room …` from here is the proof")
    except (OSError, ValueError) as error:
        return Finding("media", False, f"{address} refuses UDP ({error}): is the relay up and bound to that port?")
    return Finding("media", False, f"{address} answered a stranger: that is not our relay")


def bus(address: str) -> Finding:
    """A NATS server greets at this address."""
    host, _, port = address.removeprefix("nats://").rpartition(":")
    try:
        with _connect(host.strip("[]"), int(port)) as connection:
            greeting = connection.recv(4096)
    except (OSError, ValueError) as error:
        return Finding("NATS", False, f"{address} cannot be reached ({error}): is the server up?")
    good = greeting.startswith(b"INFO ")
    return Finding("NATS", good, f"{address} {'greets as NATS does' if good else 'is not a NATS server'}")


def database(url: str) -> Finding:
    """A database answers a question."""
    name = url.rsplit("@", 1)[-1]

    async def ask() -> None:
        made = Database(url.replace("postgresql://", "postgresql+asyncpg://", 1))
        try:
            async with asyncio.timeout(_SECONDS), made.read() as session:
                await session.execute(text("SELECT 1"))
        finally:
            await made.close()

    try:
        asyncio.run(ask())
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is what the operator must read
        return Finding("database", False, f"{name}: {type(error).__name__}: {error}")
    return Finding("database", True, f"{name} answers")


def disk(folder: Path, usage: Callable[[Path], "shutil._ntuple_diskusage"] = shutil.disk_usage) -> Finding:
    """Room for databases and logs."""
    if not folder.exists():
        return Finding("disk", False, f"{folder} does not exist: has it been started here?")
    left = usage(folder)
    share = left.free / left.total
    say = f"{left.free / 2**30:.1f} GiB free ({share:.0%}) at {folder}"
    return Finding("disk", share > 0.1, say if share > 0.1 else f"{say}: make room before databases cannot be written")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `doctor`: each is looked at when it is given."""
    parser.add_argument("--public-url", help="https://hall.example")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="public native gRPC")
    parser.add_argument("--media", metavar="HOST:PORT", action="append", default=[], help="a relay's UDP port")
    parser.add_argument("--nats", metavar="HOST:PORT")
    parser.add_argument("--database", metavar="URL", action="append", default=[])
    parser.add_argument("--state", type=Path, help="state folder, for the disk it is on")


def look(options: argparse.Namespace) -> Iterator[Finding]:
    """Everything that was asked about."""
    if options.public_url:
        yield from public_origin(options.public_url)
    if options.grpc:
        yield tcp("native gRPC", options.grpc)
    yield from (media(address) for address in options.media)
    if options.nats:
        yield bus(options.nats)
    yield from (database(url) for url in options.database)
    if options.state:
        yield disk(options.state)


def run(options: argparse.Namespace) -> int:
    """Prints what was found; 1 when something is wrong."""
    findings = list(look(options))
    if not findings:
        print("say what to look at: --public-url, --grpc, --media, --nats, --database, --state")
        return 2
    for finding in findings:
        mark = {True: "good", False: "WRONG", None: "unsure"}[finding.good]
        print(f"{mark:>6}  {finding.what}: {finding.say}")
    return 1 if any(finding.good is False for finding in findings) else 0
