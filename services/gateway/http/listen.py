"""A room's programme as a live stream over HTTPS, for pages, players and radios."""

from dataclasses import dataclass
from typing import Final

from services.common.errors import NotSignedIn, PartUnavailable
from services.gateway.call.identity import Identities
from services.gateway.domain.listening import PREFIX, Asked, Ending, asked_for
from services.gateway.domain.wish import LANGUAGE, THRIFT, UNDERSTANDS, Wish, is_thrifty, wish_of
from services.gateway.http.asgi import Header, Request, Response, Send, method_not_allowed
from services.gateway.http.caller import Callers
from services.gateway.http.streaming import SCOPE, bound, part
from services.gateway.media.listening import Guest, Listening
from services.gateway.media.live import Hearer
from services.gateway.media.tickets import Tickets
from services.gateway.reasons import refuse

TYPES: Final[dict[Ending, bytes]] = {
    "webm": b"audio/webm; codecs=opus",
    "mp4": b"audio/mp4; codecs=opus",
    "ogg": b"audio/ogg; codecs=opus",
}
_METHODS = ("GET", "HEAD", "OPTIONS")
# Cookies count only for our own pages, which is looked at where they are read.
CORS: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Retry-After"),
)
_PREFLIGHT: tuple[Header, ...] = (
    (b"allow", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"Authorization, Range"),
    (b"access-control-max-age", b"86400"),
)


@dataclass(frozen=True, slots=True)
class Listen:
    """Serves GET /listen/<room>[/<channel>].<webm|mp4|ogg>, also below /listen/t/<ticket>/ and /listen/w/."""

    callers: Callers
    identities: Identities
    listening: Listening
    tickets: Tickets

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> int:
        """Streams until seat, sign-in, room, client or gateway ends it; returns the status.

        Raises only before the first byte.
        """
        if request.method == "OPTIONS":
            return await _answer(Response(204, [*_PREFLIGHT, *CORS, *headers]), send)
        if request.method not in _METHODS:
            refusal = method_not_allowed(*_METHODS)
            refusal.headers.extend([*CORS, *headers])
            return await _answer(refusal, send)
        asked, guest, wish = await self._admit(request)
        start = [
            (b"content-type", TYPES[asked.ending]),
            (b"cache-control", b"no-store"),
            # Reverse proxies must pass sound on as it comes.
            (b"x-accel-buffering", b"no"),
            *CORS,
            *headers,
        ]
        if request.method == "HEAD":
            if guest.access is None:
                await self.listening.open_rooms.require(asked.room_id, guest.network)
            await send({"type": "http.response.start", "status": 200, "headers": start})
            await send({"type": "http.response.body", "body": b""})
            return 200
        if request.connection is None:
            raise PartUnavailable("sound needs a connection of this server")
        hearer = await self.listening.open(guest, asked.room_id, asked.ending, wish)
        try:
            await self._stream(hearer, request, send, start)
        finally:
            self.listening.leave(hearer)
        return 200

    async def _stream(self, hearer: Hearer, request: Request, send: Send, start: list[Header]) -> None:
        connection = request.connection
        assert connection is not None
        await send({"type": "http.response.start", "status": 200, "headers": start})
        with bound(hearer, connection):
            hearer.outlet = connection.write_newest
            try:
                # Written before anything else can be: pieces follow it.
                await send(part(self.listening.begin(hearer)))
                await hearer.over()
            finally:
                hearer.outlet = None
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _admit(self, request: Request) -> tuple[Asked, Guest, Wish]:
        asked = asked_for(request.path)
        if asked is None:
            raise refuse("ROOM_NOT_FOUND", f"the path must be {PREFIX}, a room's id, and .webm, .mp4 or .ogg")
        if asked.ticket:
            ticket = self.tickets.open(asked.ticket, asked.room_id)
            return asked, Guest(ticket.access, None, request.network), ticket.wish
        if asked.nameless:
            return asked, Guest(None, None, request.network or request.peer), _wish(request, asked)
        caller = self.callers.identify(request)
        if caller.shown is None:
            if caller.is_browser:
                # A page of ours, whose sign-in wants to be refreshed.
                raise NotSignedIn("sound is for people who are signed in")
            return asked, Guest(None, None, request.network or request.peer), _wish(request, asked)
        token = await self.identities.access_token(caller.shown, caller.network)
        access = await self.identities.verify(token, SCOPE)
        return asked, Guest(access, token, request.network), _wish(request, asked)


def _wish(request: Request, asked: Asked) -> Wish:
    if asked.language:
        # The path says which, and the query nothing of it.
        return Wish(asked.language, thrift=is_thrifty(request.words(THRIFT)))
    try:
        return wish_of(request.words(LANGUAGE, UNDERSTANDS, THRIFT))
    except ValueError as error:
        raise refuse("LANGUAGE_INVALID", str(error)) from None


async def _answer(response: Response, send: Send) -> int:
    await response.send(send)
    return response.status
