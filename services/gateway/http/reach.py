"""Trials of the network over HTTP: below /reach/ each way by which sound comes can be tried without a sign-in."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from services.common.errors import NotSignedIn
from services.gateway.call.identity import bearer_of
from services.gateway.domain.errors import BodyInvalid
from services.gateway.domain.ice import IceOffer
from services.gateway.domain.listening import ENDINGS, Ending
from services.gateway.domain.reach import PREFIX
from services.gateway.http.asgi import Header, Request, Response, Send, json_response, method_not_allowed
from services.gateway.http.listen import TYPES
from services.gateway.http.media import SDP, unsupported
from services.gateway.http.streaming import HEADERS, part
from services.gateway.media.reach import BEAT_SECONDS, BEATS, PIECE_SECONDS, Trials, tone_pieces
from services.gateway.reasons import refuse

_JSON: Final = "application/json"
_LARGEST_OFFER = 32 * 1024
_LARGEST_NOTE = 1024
_BUFFER_BYTES = 16 * 1024
_AT_ONCE = 2
"""Pieces of the tone that come with the head, as to somebody who joins a room."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Serves POST and DELETE /reach/trial, POST /reach/whep, GET /reach/tone.<webm|mp4|ogg> and GET /reach/events.

    It is not for pages of other origins: what is asked for here needs a preflight, which is refused.
    """

    trials: Trials
    ice: IceOffer
    speak: str = ""
    """Below which path people speak over the web; empty where they cannot."""

    async def serve(self, request: Request, send: Send, headers: tuple[Header, ...]) -> int:
        """Answers; returns the status. Raises only before the first byte."""
        what = request.path.removeprefix(PREFIX)
        if what == "events":
            return await self._stream(request, send, [*HEADERS, *headers], "events", _beats())
        name, _, ending = what.partition(".")
        if name == "tone" and ending in ENDINGS:
            return await self._tone(request, send, headers, next(each for each in ENDINGS if each == ending))
        response = await self._answer(request, what)
        response.headers.extend(headers)
        await response.send(send, without_body=request.method == "HEAD")
        return response.status

    async def _answer(self, request: Request, what: str) -> Response:
        if what == "trial":
            return await self._trial(request)
        if what == "whep":
            return await self._whep(request)
        return json_response(404, {"title": "Not Found", "status": 404}, media_type=b"application/problem+json")

    async def _trial(self, request: Request) -> Response:
        if request.method == "DELETE":
            await request.no_body()
            self.trials.end(_slip(request))
            return Response(204, [(b"cache-control", b"no-store")])
        if request.method != "POST":
            return method_not_allowed("POST", "DELETE")
        if request.content_type() != _JSON:
            return unsupported(_JSON, b"accept-post")
        await request.body(_LARGEST_NOTE)
        slip = self.trials.begin(request.network or request.peer)
        told = {
            "trial": slip,
            "now_ms": round(time.time() * 1000),
            "ice_urls": [*self.ice.stun, *self.ice.turn],
            "speak": self.speak,
        }
        return json_response(200, told)

    async def _whep(self, request: Request) -> Response:
        if request.method != "POST":
            return method_not_allowed("POST")
        if request.content_type() != SDP:
            return unsupported(SDP, b"accept-post")
        offer = (await request.body(_LARGEST_OFFER)).decode("utf-8", "replace")
        if len(offer) < 10:
            raise BodyInvalid("the body is no SDP offer")
        self._take(request, "whep")
        answer = await self.trials.offer(offer)
        return Response(201, [(b"content-type", SDP.encode()), (b"cache-control", b"no-store")], answer.encode())

    async def _tone(self, request: Request, send: Send, headers: tuple[Header, ...], ending: Ending) -> int:
        start = [
            (b"content-type", TYPES[ending]),
            (b"cache-control", b"no-store"),
            # Reverse proxies must pass sound on as it comes: whether they do is what is tried.
            (b"x-accel-buffering", b"no"),
            *headers,
        ]
        return await self._stream(request, send, start, "tone", _played(ending))

    async def _stream(
        self, request: Request, send: Send, start: list[Header], step: str, parts: AsyncIterator[bytes]
    ) -> int:
        if request.method != "GET":
            refusal = method_not_allowed("GET")
            refusal.headers.extend(start)
            await refusal.send(send)
            return refusal.status
        self._take(request, step)
        connection = request.connection
        if connection is not None:
            connection.limit_buffer(_BUFFER_BYTES)
        await send({"type": "http.response.start", "status": 200, "headers": start})
        async for data in parts:
            if connection is not None and connection.is_lost:
                break
            await send(part(data))
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return 200

    def _take(self, request: Request, step: str) -> None:
        self.trials.take(_slip(request), step, request.network or request.peer)


def _slip(request: Request) -> str:
    shown = bearer_of(request.header(b"authorization"))
    if shown is None:
        raise NotSignedIn("begin a trial first, and show what it gives")
    if len(shown) > 200:
        raise refuse("PERMIT_INVALID", "this is no trial of ours")
    return shown


async def _played(ending: Ending) -> AsyncIterator[bytes]:
    """The tone as a room is heard: the head and what was just said, then a piece each 0.4 s."""
    head, pieces = tone_pieces(ending)
    loop = asyncio.get_running_loop()
    due = loop.time()
    yield head + b"".join(pieces[:_AT_ONCE])
    for piece in pieces[_AT_ONCE:]:
        due += PIECE_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield piece


async def _beats() -> AsyncIterator[bytes]:
    """Events as a room's come, each with its number and the time here."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(BEATS):
        yield b"event: beat\ndata: " + json.dumps({"n": number, "now_ms": round(time.time() * 1000)}).encode() + b"\n\n"
        due += BEAT_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
