"""Keeps the one-time owner link in a file until it is used, so that it can be shown at every start."""

import os
import secrets
from pathlib import Path

from services.auth.app.ports import OwnerLink, Store
from services.auth.domain.sign_in import token_hash
from services.common.sight.log import get_logger
from services.common.store.database import retry_conflicts

_log = get_logger("owner_link")


class OwnerLinkFile:
    """The file at `path` holds `<public_url>/setup#<token>`; the store knows only the token's hash."""

    def __init__(self, store: Store, path: Path, public_url: str) -> None:
        self._store = store
        self._path = path
        self._prefix = f"{public_url.rstrip('/')}/setup#"

    @retry_conflicts()
    async def refresh(self) -> None:
        """Makes file and store agree: a used link has no file; a link whose file is lost is replaced."""
        async with self._store.write() as tx:
            link = await tx.get_owner_link()
            token = self._token_in_file()
            if link is not None and link.used_at is not None:
                self._path.unlink(missing_ok=True)
                return
            if link is None or token is None or token_hash(token) != link.token_hash:
                token = secrets.token_urlsafe(32)
                await tx.put_owner_link(OwnerLink(token_hash(token), None))
        self._write(token)
        _log.info("the owner link waits to be used", file=str(self._path))

    async def remove_when_used(self) -> None:
        """Removes the file once the link was used."""
        if not self._path.exists():
            return
        async with self._store.read() as tx:
            link = await tx.get_owner_link()
        if link is not None and link.used_at is not None:
            self._path.unlink(missing_ok=True)

    def _token_in_file(self) -> str | None:
        try:
            text = self._path.read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return text.partition("#")[2] or None

    def _write(self, token: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(f"{self._prefix}{token}\n")
