"""Reads the secret that link codes derive from, or makes it at the first start."""

import os
import secrets
from pathlib import Path

from services.common.settings import SettingsError, read_secret

_SHORTEST = 32


def code_secret(path: Path) -> bytes:
    """The secret. Raises SettingsError when the file is unreadable or holds less than 32 characters."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(path)
    text = read_secret(path)
    if len(text) < _SHORTEST:
        raise SettingsError(f"{path}: the secret of link codes needs at least {_SHORTEST} characters")
    return text.encode()


def _write_new(path: Path) -> None:
    """Appears whole or not at all; when another copy was faster, its secret stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
