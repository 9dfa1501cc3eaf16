"""Files that nobody but their owner reads: how they come to be, and which of them are not so yet."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

UMASK = 0o077
"""What a process that keeps secrets or personal data takes away from every file and folder it makes."""


def write_private(path: Path, text: str) -> None:
    """Writes a file that its owner alone reads, and that is there whole or not at all. Raises OSError."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def open_to_others(place: Path, but: Container[str] = ()) -> Iterator[Path]:
    """The place, if it is there, and what is below it, as far as other users of the machine have rights there.

    Links below it are not followed, nor folders called as `but` says: what they lead to is not ours to judge.
    """
    try:
        if place.stat().st_mode & UMASK:
            yield place
        below = sorted(os.scandir(place), key=lambda entry: entry.name) if place.is_dir() else []
    except OSError:
        return
    for entry in below:
        with contextlib.suppress(OSError):
            mode = entry.stat(follow_symlinks=False).st_mode
            if (stat.S_ISDIR(mode) and entry.name not in but) or (stat.S_ISREG(mode) and mode & UMASK):
                yield from open_to_others(Path(entry.path), but)


def keep_from_others(place: Path, but: Container[str] = ()) -> list[tuple[Path, OSError]]:
    """Takes every right of others from a place and what is below it; returns what could not be mended, and why."""
    failed = []
    # Folders come before what is in them, so nobody slips in meanwhile.
    for path in open_to_others(place, but):
        try:
            path.chmod(path.stat().st_mode & ~UMASK & 0o7777)
        except OSError as error:
            failed.append((path, error))
    return failed
