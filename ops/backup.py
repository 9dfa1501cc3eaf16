"""Backs up what the services keep into a folder of SQLite files and secrets, from either kind of database."""

import argparse
import asyncio
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

from ops.backup_schedule import serve
from ops.copying import add_place_arguments, copy, sqlite_url, urls
from ops.errors import OperatorError
from ops.kept_backups import MANIFEST, forget
from services.common.trust.private import keep_from_others


def digest(path: Path) -> str:
    """The sum of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def backup(sources: dict[str, str], secrets: Path, folder: Path, textfile: Path | None = None) -> Path:
    """Makes a new folder below `folder`, which appears only once it is whole. Services may run meanwhile."""
    name, draft = _begin(folder)
    try:
        counts = {
            keeper: await copy(keeper, url, sqlite_url(draft / f"{keeper}.db")) for keeper, url in sources.items()
        }
        await asyncio.to_thread(_finish, draft, name, secrets, counts)
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
        raise OperatorError(f"{name} exists already")
    return name, Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))


def _finish(draft: Path, name: Path, secrets: Path, counts: dict[str, dict[str, int]]) -> None:
    if secrets.is_dir():
        shutil.copytree(secrets, draft / "secrets")
        keep_from_others(draft)
    files = {str(path.relative_to(draft)): digest(path) for path in sorted(draft.rglob("*")) if path.is_file()}
    (draft / MANIFEST).write_text(json.dumps({"made_at": int(time.time()), "rows": counts, "files": files}, indent=1))
    draft.rename(name)


def _tell(textfile: Path) -> None:
    """For monitoring: when the last backup was made."""
    fresh = textfile.with_suffix(".new")
    fresh.write_text(f"majlis_backup_completed_timestamp_seconds {int(time.time())}\n")
    # The node exporter is another user, and this is no secret.
    fresh.chmod(0o644)
    fresh.replace(textfile)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `backup`."""
    add_place_arguments(parser)
    parser.add_argument("--to", type=Path, required=True, help="folder that backups are made in")
    parser.add_argument(
        "--textfile", type=Path, help="file for the node exporter that tells when the last one was made"
    )
    parser.add_argument("--keep", type=_count, default=0, metavar="N", help="remove all but the newest N (keep all)")
    parser.add_argument("--every", type=_hours, metavar="HOURS", help="go on: one each so many hours, until stopped")
    parser.add_argument("--metrics", default="127.0.0.1:9108", help="with --every: address of the metrics")


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _hours(text: str) -> float:
    if not 1 <= float(text) <= 168:
        raise argparse.ArgumentTypeError("must be 1 to 168 hours")
    return float(text)


def run(options: argparse.Namespace) -> int:
    """Makes a backup, or one after the other."""
    sources = urls(options.state, options.database)

    async def make() -> Path:
        made = await backup(sources, options.state / "secrets", options.to, options.textfile)
        for path in forget(options.to, options.keep):
            print(f"{path} went", flush=True)
        return made

    if options.every:
        asyncio.run(serve(make, options.to, options.every * 3600, options.metrics))
        return 0
    print(f"{asyncio.run(make())} is whole; it holds secrets, so keep it where only you can read it")
    return 0
