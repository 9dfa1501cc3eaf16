"""Where access tokens come from, and where sign-ins are kept between runs."""

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from majlis_client.errors import MajlisError

_EARLY_SECONDS = 30.0
_LOCK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class StoredSignIn:
    """What is kept of a sign-in on one server: a refresh token, or a personal token; both are secrets."""

    url: str
    refresh_token: str = ""
    personal_token: str = ""
    access_token: str = ""
    access_expires_at: float = 0.0
    """Seconds since the epoch."""
    handle: str = ""
    ca_file: str = ""


Renew = Callable[[StoredSignIn], Awaitable[StoredSignIn]]
"""Trades the refresh or personal token for a fresh access token."""


class TokenSource(Protocol):
    """Gives a valid access token whenever one is needed."""

    async def access_token(self, renew: Renew, *, refused: str = "") -> str:
        """A token; `refused` is one that the server just refused. Raises MajlisError when the sign-in has ended."""
        ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """An access token got elsewhere; when it expires, that is the end."""

    token: str

    async def access_token(self, renew: Renew, *, refused: str = "") -> str:  # noqa: ARG002 (cannot be renewed)
        """The token, once more."""
        if refused:
            raise MajlisError("unauthenticated", "TOKEN_EXPIRED", "the access token has expired")
        return self.token


class PersonalToken:
    """A personal access token, kept in memory only: for bots."""

    def __init__(self, token: str) -> None:
        self._sign_in = StoredSignIn("", personal_token=token)
        self._busy = asyncio.Lock()

    async def access_token(self, renew: Renew, *, refused: str = "") -> str:
        """A short-lived token got with the personal one."""
        async with self._busy:
            if not _fresh(self._sign_in, refused):
                self._sign_in = await renew(self._sign_in)
            return self._sign_in.access_token


class CredentialStore:
    """Sign-ins in one file that only its owner can read, safe for several programs at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "credentials.json"

    def load(self, url: str = "") -> StoredSignIn | None:
        """The sign-in on a server, or on the one last signed in to."""
        content = self._read()
        entry = content["servers"].get(url or content["last"])
        return None if entry is None else StoredSignIn(**entry)

    def save(self, sign_in: StoredSignIn) -> None:
        """Keeps a sign-in and makes its server the default one."""
        content = self._read()
        content["servers"][sign_in.url] = asdict(sign_in)
        content["last"] = sign_in.url
        self._write(content)

    def forget(self, url: str) -> None:
        """Removes the sign-in on a server."""
        content = self._read()
        content["servers"].pop(url, None)
        content["last"] = next(iter(content["servers"]), "") if content["last"] == url else content["last"]
        self._write(content)

    def tokens(self, url: str) -> "StoredTokens":
        """The tokens of the sign-in on a server."""
        return StoredTokens(self, url)

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keeps other programs from trading the same refresh token: using one twice ends the sign-in."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._directory / "lock").open("a") as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise MajlisError("unavailable", "STORE_BUSY", "another program holds the stored sign-in")
                await asyncio.sleep(0.02)
            yield

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"last": "", "servers": {}}
        except (ValueError, OSError) as error:
            raise MajlisError("internal", "STORE_BROKEN", f"cannot read {self._path}: {error}") from error
        return {"last": content.get("last", ""), "servers": dict(content.get("servers", {}))}

    def _write(self, content: dict[str, Any]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Created with mode 0600, and whole or not at all.
        handle, name = tempfile.mkstemp(dir=self._directory)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        Path(name).replace(self._path)


class StoredTokens:
    """Access tokens of a stored sign-in, renewed one program at a time."""

    def __init__(self, store: CredentialStore, url: str) -> None:
        self._store = store
        self._url = url
        self._busy = asyncio.Lock()

    async def access_token(self, renew: Renew, *, refused: str = "") -> str:
        """A token from the store, renewed there when it is about to expire."""
        async with self._busy:
            sign_in = self._sign_in()
            if _fresh(sign_in, refused):
                return sign_in.access_token
            async with self._store.locked():
                # Another program may have renewed it meanwhile.
                sign_in = self._sign_in()
                if not _fresh(sign_in, refused):
                    sign_in = replace(await renew(sign_in), url=self._url)
                    self._store.save(sign_in)
            return sign_in.access_token

    def _sign_in(self) -> StoredSignIn:
        sign_in = self._store.load(self._url)
        if sign_in is None:
            raise MajlisError("unauthenticated", "NOT_SIGNED_IN", f"not signed in to {self._url}")
        return sign_in


def _fresh(sign_in: StoredSignIn, refused: str) -> bool:
    usable = bool(sign_in.access_token) and sign_in.access_token != refused
    return usable and sign_in.access_expires_at - time.time() > _EARLY_SECONDS


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 (absent on Windows, where sign-ins are not shared between programs)
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
