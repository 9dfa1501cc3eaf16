"""What the streams of server-sent events have alike (WHATWG HTML §9.2): headers, beginnings and endings."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.errors import NotSignedIn
from services.common.ids import is_id
from services.common.trust.tokens import AccessToken
from services.gateway.call.identity import Identities
from services.gateway.domain.errors import BodyInvalid, FellBehind
from services.gateway.http.asgi import Connection, Header, Request
from services.gateway.http.caller import Callers
from services.gateway.watch.reader import Reader

SCOPE = "listen"
_RETRY_MILLISECONDS = (500, 3000)
"""Each stream is told another wait: those that lose a gateway together do not come back together."""
_DRAIN_RETRY_MILLISECONDS = 10_000
_BUFFER_BYTES = 16 * 1024
_LAST_WORD_SECONDS = 3.0
HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Reverse proxies must pass events on as they come.
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may open a stream of a room."""

    callers: Callers
    identities: Identities

    async def admit(self, request: Request, prefix: str) -> tuple[AccessToken, str]:
        """Who wants to watch, and which room. Raises what keeps them out."""
        caller = self.callers.identify(request)
        if caller.shown is None:
            raise NotSignedIn("events are for people who are signed in")
        room_id = request.path.removeprefix(prefix)
        if not is_id(room_id):
            raise BodyInvalid(f"the path must be {prefix} and a room's id")
        return await self.identities.bearer(caller.shown, caller.network, SCOPE), room_id


def first_word() -> bytes:
    """How long a client waits before it comes back."""
    return b"retry: %d\n\n" % random.randint(*_RETRY_MILLISECONDS)  # noqa: S311 (jitter)


def last_word(reader: Reader, *, is_draining: bool) -> bytes:
    """Why a stream is over."""
    if isinstance(reader.why, FellBehind):
        return b"event: resync\ndata: " + _reason("FELL_BEHIND") + b"\n\n"
    if reader.why is not None:
        return b"event: end\ndata: " + _reason(reader.why.reason) + b"\n\n"
    if is_draining:
        # Everyone comes back, not all at once.
        wait = random.randint(0, _DRAIN_RETRY_MILLISECONDS)  # noqa: S311 (jitter)
        return b"retry: %d\nevent: draining\ndata: {}\n\n" % wait
    return b"event: end\ndata: " + _reason("ROOM_ENDED") + b"\n\n"


@contextmanager
def bound(reader: Reader, connection: Connection | None) -> Iterator[None]:
    """Ends the reader with its connection, and drops the connection of a reader that ended but takes nothing."""
    if connection is None:
        yield
        return
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def on_end() -> None:
        timers.append(loop.call_later(_LAST_WORD_SECONDS, connection.abort))

    connection.on_lost = reader.end
    connection.limit_buffer(_BUFFER_BYTES)
    reader.on_end = on_end
    if connection.is_lost:
        reader.end()
    elif reader.ended:
        on_end()
    try:
        yield
    finally:
        connection.on_lost = None
        for timer in timers:
            timer.cancel()


def after(request: Request) -> int | None:
    """What the client has: its Last-Event-ID, or `?after=`. Raises BodyInvalid for what is no number."""
    text = request.header(b"last-event-id") or request.query().get("after", b"").decode("latin-1")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 20:
        raise BodyInvalid("the last event id is a number")
    return int(text)


def once(request: Request) -> bool:
    """Whether the client wants an answer instead of a stream. Raises BodyInvalid for anything but 0 and 1."""
    return _is_set(request, "once")


def asks_for_speakers(request: Request) -> bool:
    """Whether the client is to be told who speaks. Raises BodyInvalid for anything but 0 and 1."""
    return _is_set(request, "speakers")


def _is_set(request: Request, name: str) -> bool:
    text = request.query().get(name, b"0")
    if text not in (b"0", b"1"):
        raise BodyInvalid(f"{name} is 0 or 1")
    return text == b"1"


def part(data: bytes) -> dict[str, object]:
    """A piece of the body, with more to come."""
    return {"type": "http.response.body", "body": data, "more_body": True}


def _reason(reason: str) -> bytes:
    return json.dumps({"reason": reason}).encode()
