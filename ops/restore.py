"""Puts a backup back into new databases, of either kind."""

import argparse
import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from ops.backup import digest
from ops.copying import add_place_arguments, copy, migrations_of, sqlite_url, urls
from ops.errors import OperatorError
from ops.kept_backups import MANIFEST
from services.common.store.migrations import migrate


def check(folder: Path) -> None:
    """Raises OperatorError unless every file of a backup is there and unchanged."""
    if not (folder / MANIFEST).is_file():
        raise OperatorError(f"{folder} is no backup: it has no {MANIFEST}")
    for name, kept in json.loads((folder / MANIFEST).read_text())["files"].items():
        path = folder / name
        if not path.is_file() or digest(path) != kept:
            raise OperatorError(f"{path} is missing or damaged: take another backup")


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
            place.chmod(0o600)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `restore`."""
    add_place_arguments(parser)
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="the backup's own folder")


def run(options: argparse.Namespace) -> int:
    """Puts a backup back."""
    counts = asyncio.run(restore(options.folder, urls(options.state, options.database), options.state / "secrets"))
    for keeper, rows in counts.items():
        print(f"{keeper}: {sum(rows.values())} rows in {len(rows)} tables")
    return 0
