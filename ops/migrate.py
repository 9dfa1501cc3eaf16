"""Moves what the services keep from the SQLite files of a state folder to PostgreSQL."""

import argparse
import asyncio
import sys
from pathlib import Path

from ops.copying import KEEPERS, copy, databases_of_environment, moved_mark, urls


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `migrate`."""
    parser.add_argument("what", choices=["sqlite-to-postgres"], help="the one move there is")
    parser.add_argument(
        "--state", type=Path, default=Path("var"), help="state folder of make run; stop the system first"
    )
    parser.add_argument(
        "--database",
        action="append",
        default=databases_of_environment(),
        metavar="SERVICE=URL",
        help="a new PostgreSQL database for each service; a file that holds the URL will do; or $MAJLIS_DATABASES",
    )


def run(options: argparse.Namespace) -> int:
    """Copies all three; the files stay as they are, marked as old."""
    files, targets = urls(options.state, [], old_too=True), urls(options.state, options.database, old_too=True)
    staying = [keeper for keeper in KEEPERS if targets[keeper].startswith("sqlite")]
    if staying:
        print(f"give --database {staying[0]}=postgresql://… too: all three move together", file=sys.stderr)
        return 2
    for keeper in KEEPERS:
        rows = asyncio.run(copy(keeper, files[keeper], targets[keeper]))
        print(f"{keeper}: {sum(rows.values())} rows in {len(rows)} tables")
    for keeper in KEEPERS:
        moved_mark(options.state, keeper).touch()
    print("start the services with these databases; keep the files until you have seen it work")
    print("backup, doctor and the other commands refuse the files from now on: give them --database too")
    return 0
