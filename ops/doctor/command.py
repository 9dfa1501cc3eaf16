"""`majlis doctor`: looks at what it is asked about and says what is wrong and what to do."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from ops.copying import KEEPERS, databases_of_environment, urls
from ops.doctor.finding import Finding
from ops.doctor.inside import bus, database, disk, parts, private_database
from ops.doctor.outside import media, public_origin, tcp
from ops.errors import OperatorError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `doctor`: each thing is looked at when it is named."""
    parser.add_argument("url", nargs="?", help="public address, https://hall.example: page, TLS, clock, gRPC, sound")
    parser.add_argument("--public-url", dest="url_too", help=argparse.SUPPRESS)
    parser.add_argument(
        "--token-file",
        type=Path,
        help="a personal token (scopes rooms, listen, speak): is every relay address reached?",
    )
    parser.add_argument("--ca", type=Path, help="certificate of a private authority")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="native gRPC, where the page does not name it")
    parser.add_argument("--media", metavar="HOST:PORT", action="append", default=[], help="a relay's UDP port")
    parser.add_argument("--nats", metavar="HOST:PORT", help="the bus; tls://HOST:PORT where it speaks TLS at once")
    parser.add_argument(
        "--database",
        metavar="SERVICE=URL",
        action="append",
        default=databases_of_environment(),
        help="a service's database; a file that holds the URL will do; also from $MAJLIS_DATABASES, by commas",
    )
    parser.add_argument(
        "--state", type=Path, help="state folder of make run: processes, databases, private files, disk"
    )


def look(options: argparse.Namespace) -> Iterator[Finding]:
    """Everything that was asked about."""
    url = options.url or options.url_too
    if url:
        seen = list(public_origin(url, options.ca))
        yield from seen
        if any(each.what == "page" and each.good for each in seen):
            yield from _rungs(url, options)
    if options.token_file:
        yield from _reach(url, options.token_file, options.ca)
    if options.grpc:
        yield tcp("native gRPC", options.grpc)
    yield from (media(address) for address in options.media)
    if options.nats:
        yield bus(options.nats, options.ca)
    named = {each.partition("=")[0] for each in options.database}
    places = urls(options.state or Path("var"), options.database)
    for keeper in KEEPERS:
        if keeper in named or options.state:
            yield from database(keeper, places[keeper])
        if keeper in named:
            yield from private_database(keeper, places[keeper])
    if options.state:
        yield from parts(options.state)
        yield disk(options.state)


def _rungs(url: str, options: argparse.Namespace) -> Iterator[Finding]:
    from ops.doctor.rungs import rungs

    return rungs(url, options.ca, without_media=options.token_file is not None)


def _reach(url: str | None, token_file: Path, ca_file: Path | None) -> list[Finding]:
    from ops.doctor.reach import relays

    if not url:
        raise OperatorError("--token-file needs the public address too")
    try:
        token = token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorError(f"cannot read {token_file}: {error.strerror}") from error
    return asyncio.run(relays(url, token, ca_file))


def run(options: argparse.Namespace) -> int:
    """Prints what was found; 1 when something is wrong."""
    seen = wrong = 0
    for finding in look(options):
        mark = {True: "good", False: "WRONG", None: "unsure"}[finding.good]
        print(f"{mark:>6}  {finding.what}: {finding.say}", flush=True)
        seen, wrong = seen + 1, wrong + (finding.good is False)
    if not seen:
        print("say what to look at: the public address, --nats, --database, --state; see --help")
        return 2
    return 1 if wrong else 0
