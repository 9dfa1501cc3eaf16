"""The backups in a folder: which are whole, when they were made, and which may go."""

import json
import shutil
from pathlib import Path

MANIFEST = "backup.json"
"""Written last into a backup: one without it is unfinished."""


def whole(folder: Path) -> list[Path]:
    """The backups in a folder, oldest first; what is unfinished is none."""
    return sorted(path for path in folder.glob("majlis-*") if (path / MANIFEST).is_file())


def made_at(made: Path) -> int:
    """When a backup was whole, in seconds since the epoch."""
    return int(json.loads((made / MANIFEST).read_text())["made_at"])


def forget(folder: Path, keep: int) -> list[Path]:
    """Removes whole backups but the newest `keep`; returns those that went."""
    gone = whole(folder)[:-keep] if keep else []
    for path in gone:
        shutil.rmtree(path)
    return gone
