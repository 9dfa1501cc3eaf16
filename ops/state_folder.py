"""The state folder of `make run`: what in it is for its owner alone."""

import contextlib
from pathlib import Path

from services.common.trust.private import keep_from_others

PRIVATE = ("data", "secrets", "nats", "log", "mail", "backups", "owner-link", "run.json", "lock")
"""What holds keys, addresses or words of people, or leads to it; for its owner alone."""
LEFT_ALONE = frozenset({"compose"})
"""Folders below them that are not looked into: containers read these files as another user, and the folder above keeps
everybody else out."""
PASSABLE = 0o711
"""Mode of a new state folder: others cannot look into it, but reach the one file that is for Prometheus."""


def make_folder(state: Path) -> None:
    """Makes the state folder where there is none. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir()
        state.chmod(PASSABLE)


def keep_private(state: Path) -> list[str]:
    """Mends an installation whose files others could read; returns what could not be mended, in words."""
    failed = [each for name in PRIVATE for each in keep_from_others(state / name, LEFT_ALONE)]
    return [f"others may read {path}, and that cannot be changed: {error.strerror}" for path, error in failed]
