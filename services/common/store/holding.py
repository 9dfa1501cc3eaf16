"""A SQLite file is one process's alone: two would decide about the same rooms, each by what it has in memory."""

import fcntl
import os
from pathlib import Path

from services.common.errors import Conflict

_held: dict[Path, int] = {}


def hold(file: Path) -> None:
    """Holds a file for as long as this process lives; once is enough. Raises Conflict while another one has it.

    By flock(2), which knows nothing of the locks that SQLite itself takes (POSIX): whoever reads the file, as a backup
    does, goes on. The descriptor stays open, since closing one would drop SQLite's.
    """
    place = file.resolve()
    if place in _held:
        return
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        # Whoever opens the database says what is wrong with it.
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict(f"another process has {file}, which is for one alone") from None
    except OSError:
        # A file system without such locks.
        os.close(descriptor)
        return
    _held[place] = descriptor
