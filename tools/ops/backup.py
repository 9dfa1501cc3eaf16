"""Backs up what the services keep into a folder of SQLite files and secrets, and puts it back, into either database."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from services.common.migrations import migrate
from tools.ops.copying import KEEPERS, CopyError, copy, migrations_of

MANIFEST = "backup.json"


def sqlite_url(path: Path) -> str:
    """How SQLAlchemy calls a file."""
    return f"sqlite+aiosqlite:///{path.resolve()}"


def urls(state: Path, given: list[str]) -> dict[str, str]:
    """The database of each service: the file of `make run`, or what `--database service=url` says."""
    found = {keeper: sqlite_url(state / "data" / f"{keeper}.db") for keeper in KEEPERS}
    for each in given:
        keeper, _, url = each.partition("=")
        if keeper not in KEEPERS or not url:
            raise CopyError(f"--database {keeper}=…: write it as one of {', '.join(KEEPERS)}, then = and a URL")
        found[keeper] = url.replace("postgresql://", "postgresql+asyncpg://", 1)
    return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def backup(sources: dict[str, str], secrets: Path, folder: Path, textfile: Path | None = None) -> Path:
    """Makes a new folder below `folder`, which appears only once it is whole. Services may run meanwhile."""
    name, draft = _begin(folder)
    try:
        counts = {
            keeper: await copy(keeper, url, sqlite_url(draft / f"{keeper}.db")) for keeper, url in sources.items()
        }
        _finish(draft, name, secrets, counts)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if textfile is not None:
        _tell(textfile)
    return name


def _begin(folder: Path) -> tuple[Path, Path]:
    """The name a backup will have, and the folder it is made in until then."""
    folder.mkdir(parents=True, exist_ok=True)
    name = folder / time.strftime("majlis-%Y%m%dT%H%M%SZ", time.gmtime())
    if name.exists():
        raise CopyError(f"{name} exists already")
    return name, Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))


def _finish(draft: Path, name: Path, secrets: Path, counts: dict[str, dict[str, int]]) -> None:
    if secrets.is_dir():
        shutil.copytree(secrets, draft / "secrets")
    files = {str(path.relative_to(draft)): _digest(path) for path in sorted(draft.rglob("*")) if path.is_file()}
    (draft / MANIFEST).write_text(json.dumps({"made_at": int(time.time()), "rows": counts, "files": files}, indent=1))
    draft.rename(name)


def _tell(textfile: Path) -> None:
    """For monitoring: when the last backup was made."""
    fresh = textfile.with_suffix(".new")
    fresh.write_text(f"majlis_backup_completed_timestamp_seconds {int(time.time())}\n")
    fresh.replace(textfile)


def check(folder: Path) -> None:
    """Raises CopyError unless every file of a backup is there and unchanged."""
    if not (folder / MANIFEST).is_file():
        raise CopyError(f"{folder} is no backup: it has no {MANIFEST}")
    for name, digest in json.loads((folder / MANIFEST).read_text())["files"].items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            raise CopyError(f"{path} is missing or damaged: take another backup")


async def restore(folder: Path, targets: dict[str, str], secrets: Path) -> dict[str, dict[str, int]]:
    """Puts a backup into new databases, one of an older release too; secrets that exist already stay as they are."""
    check(folder)
    counts = {}
    for keeper, url in targets.items():
        with tempfile.TemporaryDirectory(prefix="majlis-restore-") as scratch:
            aside = Path(scratch) / f"{keeper}.db"
            shutil.copyfile(folder / f"{keeper}.db", aside)
            await migrate(sqlite_url(aside), migrations_of(keeper), keeper)
            counts[keeper] = await copy(keeper, sqlite_url(aside), url)
    _restore_secrets(folder / "secrets", secrets)
    return counts


def _restore_secrets(source: Path, target: Path) -> None:
    for path in sorted(each for each in source.rglob("*") if each.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not place.exists():
            shutil.copy2(path, place)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `backup`."""
    parser.add_argument("--state", type=Path, default=Path("var"), help="state folder of make run")
    parser.add_argument(
        "--database", action="append", default=[], metavar="SERVICE=URL", help="where it is not in --state"
    )
    parser.add_argument("--to", type=Path, required=True, help="folder that backups are made in")
    parser.add_argument(
        "--textfile", type=Path, help="file for the node exporter that tells when the last one was made"
    )


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `restore`."""
    parser.add_argument("--state", type=Path, default=Path("var"), help="state folder of make run")
    parser.add_argument(
        "--database", action="append", default=[], metavar="SERVICE=URL", help="where it is not in --state"
    )
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="the backup's own folder")


def add_migrate_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `sqlite-to-postgres`."""
    parser.add_argument(
        "--state", type=Path, default=Path("var"), help="state folder of make run; stop the system first"
    )
    parser.add_argument("--database", action="append", default=[], metavar="SERVICE=URL", required=True)


def run(options: argparse.Namespace) -> int:
    """Makes a backup."""
    os.umask(0o077)
    made = asyncio.run(
        backup(urls(options.state, options.database), options.state / "secrets", options.to, options.textfile)
    )
    print(f"{made} is whole; it holds secrets, so keep it where only you can read it")
    return 0


def run_restore(options: argparse.Namespace) -> int:
    """Puts a backup back."""
    os.umask(0o077)
    counts = asyncio.run(restore(options.folder, urls(options.state, options.database), options.state / "secrets"))
    for keeper, rows in counts.items():
        print(f"{keeper}: {sum(rows.values())} rows in {len(rows)} tables")
    return 0


def run_migrate(options: argparse.Namespace) -> int:
    """Moves the SQLite files of a state folder to PostgreSQL; the files stay as they are."""
    files, targets = urls(options.state, []), urls(options.state, options.database)
    staying = [keeper for keeper in KEEPERS if targets[keeper].startswith("sqlite")]
    if staying:
        print(f"give --database {staying[0]}=postgresql://… too: all three move together", file=sys.stderr)
        return 2
    for keeper in KEEPERS:
        rows = asyncio.run(copy(keeper, files[keeper], targets[keeper]))
        print(f"{keeper}: {sum(rows.values())} rows in {len(rows)} tables")
    print("start the services with these databases; keep the files until you have seen it work")
    return 0
