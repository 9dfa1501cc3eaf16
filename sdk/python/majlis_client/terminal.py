"""What every command of `majlis` shares: the options, the sign-in it acts by, and how it ends."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from majlis.auth.v1 import account_service_pb2

from majlis_client.catalogue import has, say
from majlis_client.client import Client
from majlis_client.credentials import CredentialStore, FixedToken, PersonalToken, TokenSource
from majlis_client.destination import destination
from majlis_client.errors import MajlisError
from majlis_client.reasons import kind_of

PERSONAL = "mjp_"
"""What personal access tokens begin with; other tokens are access tokens."""


ServerOption = Annotated[str, typer.Option("--server", "-s", help=say("help.option.server"), envvar="MAJLIS_SERVER")]
RoomOption = Annotated[str, typer.Option("--room", "-r", help=say("help.option.room"))]
KeyOption = Annotated[str, typer.Option("--key", help=say("help.option.key"))]
JsonOption = Annotated[bool, typer.Option("--json", help=say("help.option.json"))]
QuestionOption = Annotated[str, typer.Option("--question", "-q", help=say("help.option.question"))]


def store() -> CredentialStore:
    """The person's own store: in $MAJLIS_CONFIG_DIR, else where the system keeps settings."""
    return CredentialStore(Path(os.environ.get("MAJLIS_CONFIG_DIR") or typer.get_app_dir("majlis")))


def token_of(environment: Mapping[str, str]) -> str:
    """The token that stands for a sign-in in this environment, or nothing."""
    return environment.get("MAJLIS_TOKEN", "").strip()


@contextlib.asynccontextmanager
async def signed_in(url: str, link: str = "") -> AsyncIterator[Client]:
    """A client of a server, or of the one last signed in to: as whom MAJLIS_TOKEN says, else by the stored sign-in.

    A room's link that leads to another server is refused before anything is sent.
    """
    given, kept = token_of(os.environ), store()
    where = destination(kept, url, link, own_token=bool(given))
    tokens: TokenSource = kept.tokens(where.url)
    if given:
        tokens = PersonalToken(given) if given.startswith(PERSONAL) else FixedToken(given)
    ca_file = Path(where.sign_in.ca_file) if where.sign_in and where.sign_in.ca_file else None
    if not (given.isascii() and given.isprintable()):
        raise MajlisError("unauthenticated", "MAJLIS_TOKEN_REFUSED", "no token has such characters")
    try:
        async with await Client.connect(where.url, tokens, ca_file=ca_file) as client:
            yield client
    except MajlisError as error:
        if (reason := by_token(error.reason)) == error.reason:
            raise
        raise MajlisError(error.kind, reason, error.message) from error


def by_token(reason: str) -> str:
    """The reason of a refusal; signing in helps nobody whose MAJLIS_TOKEN is what was refused."""
    return "MAJLIS_TOKEN_REFUSED" if kind_of(reason) == "unauthenticated" and token_of(os.environ) else reason


@contextlib.asynccontextmanager
async def stored(url: str) -> AsyncIterator[Client]:
    """A client with the stored sign-in on a server, or on the last one."""
    kept = store()
    sign_in = kept.load(url.rstrip("/"))
    if sign_in is None:
        raise MajlisError("unauthenticated", "NOT_SIGNED_IN", "not signed in")
    ca_file = Path(sign_in.ca_file) if sign_in.ca_file else None
    async with await Client.connect(sign_in.url, kept.tokens(sign_in.url), ca_file=ca_file) as client:
        yield client


async def person_of(client: Client, handle: str) -> str:
    """The id of whoever has this handle. Raises MajlisError."""
    answer = await client.accounts.GetProfile(account_service_pb2.GetProfileRequest(handle=handle))
    return str(answer.profile.user_id)


@contextlib.contextmanager
def about(handle: str) -> Iterator[None]:
    """A refusal for what somebody else is not says so of them: its own words would tell it of who asks."""
    try:
        yield
    except MajlisError as error:
        if not has(f"error.THEY_ARE_{error.reason}"):
            raise
        told = {**error.metadata, "handle": handle}
        raise MajlisError(error.kind, f"THEY_ARE_{error.reason}", error.message, metadata=told) from error


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command; a refusal is one line on standard error and exit code 1, Ctrl-C is 130."""
    try:
        asyncio.run(work)
    except MajlisError as error:
        print(in_words(error), file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def in_words(error: MajlisError) -> str:
    """A refusal as a sentence in the reader's language."""
    # A relay that was lost a moment ago is no full hall.
    key = "error.RELAYS_AWAY" if error.metadata.get("relays") == "away" else f"error.{error.reason}"
    values = {**error.metadata, "message": error.message, "reason": error.reason}
    return say(key if has(key) else "error.other", **values)


def explain(why: str, expected: str, detail: str = "") -> None:
    """Says why something ended otherwise than expected; anything but the room's own end exits with 1."""
    if why == expected:
        return
    why = by_token(why)
    key = f"why.{why}" if has(f"why.{why}") else f"error.{why}"
    told = has(key) and (detail or why != "UNREACHABLE")
    print(say(key, message=detail, reason=why) if told else why, file=sys.stderr)
    if why != "room_ended":
        raise typer.Exit(1)


def stopped_by_signal() -> asyncio.Event:
    """An event that Ctrl-C, or a polite request to end, sets instead of breaking off."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers in the event loop: there Ctrl-C breaks off, and the file is complete all the same.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    return stop
