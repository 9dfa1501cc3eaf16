"""Speaking over HTTPS: a WebSocket, pieces by POST where these are blocked, and one long upload for programs."""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from services.common.errors import DomainError, NotSignedIn
from services.common.ids import is_id
from services.common.limits import TokenBuckets
from services.common.tasks import Background
from services.common.text.strict_json import read_json
from services.gateway.call.door import Door
from services.gateway.call.faults import Faults
from services.gateway.domain.errors import BodyInvalid, BodyTooSlow, PieceMissing, RateLimited, SoundRefused
from services.gateway.domain.wish import UNDERSTANDS
from services.gateway.http.asgi import Receive, Request, Response, Scope, Send, json_response, method_not_allowed
from services.gateway.http.caller import Callers
from services.gateway.http.problem import PROBLEM, problem
from services.gateway.media.elsewhere import Answer, Elsewhere, Piece
from services.gateway.media.pace import Pace
from services.gateway.media.speaking import Speakers, Uplink
from services.gateway.reasons import refuse
from services.programme.sounds import READERS, Form, Lengths, Reader, Sound, SoundInvalid

PREFIX: Final = "/speak/"
_TYPES: Final[dict[str, Form]] = {"audio/webm": "webm", "audio/ogg": "ogg"}
LARGEST_PIECE: Final = 64 * 1024
SILENT_SECONDS: Final = 5.0
"""Who sends pieces and sends none for so long has gone."""
_HELLO_SECONDS: Final = 5.0
_BYTES_A_SECOND: Final = 64 * 1024
_BURST_BYTES: Final = 512 * 1024
_MESSAGES_A_SECOND: Final = 200
_BURST_MESSAGES: Final = 2000
"""Of who was stalled for ten seconds all comes at once."""
_CONFIRM_SECONDS: Final = 0.5
"""Systems on the way hold far more than anybody wants to be late by: who speaks is told what has come."""
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_REFUSED: Final = 400
_REMEMBERED: Final = 1000
"""Sessions by pieces that ended, whose senders may still ask why."""


def _flow() -> TokenBuckets:
    """What one speaker may send, in messages; many bytes count as several."""
    return TokenBuckets(_BURST_MESSAGES, _MESSAGES_A_SECOND, max_keys=1)


@dataclass(slots=True)
class _Mouth:
    """A session with what reads its sound."""

    uplink: Uplink
    reader: Reader
    flow: TokenBuckets = field(default_factory=_flow)
    newest: int | None = None
    """When the sound that came last was said, where that is known."""

    def take(self, data: bytes, now: float) -> None:
        """Raises SoundRefused, RateLimited, and why the session is over."""
        self.uplink.put(self.read(data, now))

    def read(self, data: bytes, now: float) -> list[Sound]:
        """The sound in it. Raises SoundRefused and RateLimited."""
        cost = max(1.0, len(data) * _MESSAGES_A_SECOND / _BYTES_A_SECOND)
        if self.flow.take("", now, cost) > 0:
            raise RateLimited("more came than anybody says in that time")
        try:
            sounds = self.reader.read(data)
        except SoundInvalid as error:
            raise SoundRefused(str(error)) from None
        if sounds:
            self.newest = sounds[-1][0]
        return sounds


@dataclass(slots=True)
class _Pieces:
    """A session whose sound comes in numbered pieces."""

    mouth: _Mouth
    next: int = 0
    heard_at: float = 0.0


class Speak:
    """Serves /speak/<room>, and below it /pieces/<session>/<number>."""

    def __init__(
        self,
        callers: Callers,
        speakers: Speakers,
        door: Door,
        elsewhere: Elsewhere,
        *,
        background: Background,
        faults: Faults,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callers = callers
        self._speakers = speakers
        self._door = door
        self._elsewhere = elsewhere
        elsewhere.take = self.answer
        self._background = background
        self._faults = faults
        self._now = now
        self._pieces: OrderedDict[str, _Pieces] = OrderedDict()

    # --- a WebSocket

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket, from its opening to its end."""
        # Like a request that changes something: with cookies it needs the Origin of a page of ours.
        request = Request({**scope, "method": "POST"}, receive, self._door.network_of, has_id=True)
        uplink: Uplink | None = None
        await receive()
        await send({"type": "websocket.accept"})
        try:
            self._door.admit(request.network or request.peer)
            room_id = request.path.removeprefix(PREFIX)
            permit, form = _hello(await self._first(receive))
            shown, understands = permit or self._shown(request), _understands(request)
            uplink = await self._speakers.open(_room(room_id), shown, request.network, understands)
            await _tell(send, {"opened": _opened(uplink)})
            await self._hear(_Mouth(uplink, READERS[form]()), receive, send)
        except DomainError as error:
            await self._over(uplink, error, send)
        except Exception as error:  # noqa: BLE001 (logged; the client learns only that it happened)
            await self._over(uplink, self._faults.note("speak", error), send)
        finally:
            if uplink is not None:
                self._speakers.close(uplink)

    async def _first(self, receive: Receive) -> str:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow("the first message says what is sent, and comes within five seconds") from None
        if message["type"] != "websocket.receive" or message.get("text") is None:
            raise BodyInvalid("the first message is text, and says what is sent")
        return str(message["text"])

    async def _hear(self, mouth: _Mouth, receive: Receive, send: Send) -> None:
        """Until the client goes, or the session is over. Raises why it is over."""
        uplink = mouth.uplink
        news = self._background.spawn("news for a speaker", lambda: _tell_news(uplink, send))
        came = self._background.spawn("what came of a speaker", lambda: _tell_heard(mouth, send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                mouth.take(cast("bytes", message.get("bytes")) or b"", self._now())
        finally:
            news.cancel()
            came.cancel()

    async def _over(self, uplink: Uplink | None, why: DomainError, send: Send) -> None:
        if uplink is not None:
            self._speakers.close(uplink, why)
        with suppress(Exception):
            await _tell(send, {"ended": {"reason": why.reason, "message": why.message}})
            await send({"type": "websocket.close", "code": 1000})

    # --- pieces by POST

    async def __call__(self, request: Request) -> Response:
        """A request of who sends pieces."""
        room_id, *parts = request.path.removeprefix(PREFIX).split("/")
        if not parts:
            return await self._upload(request, room_id)
        if parts == ["pieces"]:
            return await self._open_pieces(request, room_id) if request.method == "POST" else method_not_allowed("POST")
        if parts[:1] == ["pieces"] and len(parts) == 3 and _NUMBER.fullmatch(parts[2]):
            if request.method != "POST":
                return method_not_allowed("POST")
            return await self._piece(request, room_id, parts[1], int(parts[2]))
        if parts[:1] == ["pieces"] and len(parts) == 2:
            return (
                await self._end(request, room_id, parts[1])
                if request.method == "DELETE"
                else method_not_allowed("DELETE")
            )
        raise refuse("SESSION_NOT_FOUND", f"the address is {PREFIX}, a room's id, and /pieces")

    async def _upload(self, request: Request, room_id: str) -> Response:
        """One long body; the answer says why it is over."""
        if request.method != "POST":
            return method_not_allowed("POST")
        form = _TYPES.get(request.content_type())
        if form is None:
            raise refuse("MEDIA_TYPE_UNSUPPORTED", f"the body is {' or '.join(_TYPES)}")
        uplink = await self._speakers.open(_room(room_id), self._shown(request), request.network, _understands(request))
        mouth, pace = _Mouth(uplink, READERS[form]()), Pace(self._now)
        try:
            async for data in request.parts(SILENT_SECONDS):
                async for sounds in pace.parts(mouth.read(data, self._now())):
                    uplink.put(sounds)
            if mouth.newest is None:
                raise SoundRefused("there was no sound in it")
            await pace.until_said()
        except DomainError as error:
            self._speakers.close(uplink, error)
            return problem(error)
        finally:
            self._speakers.close(uplink)
        return json_response(200, {"ended": {"reason": "", "message": "all was said"}})

    async def _open_pieces(self, request: Request, room_id: str) -> Response:
        words = request.words("form", UNDERSTANDS)
        form = _form(words.get("form", b"opus").decode("latin-1"))
        await request.no_body()
        uplink = await self._speakers.open(
            _room(room_id), self._shown(request), request.network, words.get(UNDERSTANDS, b"").decode("latin-1")
        )
        key = self._elsewhere.names.make(room_id)
        mouth = _Mouth(uplink, Lengths() if form == "opus" else READERS[form]())
        self._pieces[key] = pieces = _Pieces(mouth, heard_at=self._now())
        self._background.spawn("pieces of a speaker", lambda: self._watch(pieces))
        self._forget()
        location = f"{PREFIX}{room_id}/pieces/{key}".encode()
        return json_response(201, _opened(uplink), (b"location", location))

    async def _piece(self, request: Request, room_id: str, key: str, number: int) -> Response:
        return await self._bring(Piece(room_id, key, number, await request.body(LARGEST_PIECE)))

    async def _end(self, request: Request, room_id: str, key: str) -> Response:
        await request.no_body()
        return await self._bring(Piece(room_id, key, is_end=True))

    async def _bring(self, piece: Piece) -> Response:
        """To whichever gateway has the session."""
        if piece.session in self._pieces:
            return self._take(piece)
        status, body = await self._elsewhere.bring(piece)
        kind = b"application/json" if status < _REFUSED else PROBLEM
        return Response(status, [(b"content-type", kind), (b"cache-control", b"no-store")], body)

    async def answer(self, piece: Piece) -> Answer:
        """What another gateway is told to which a piece of a session here came."""
        try:
            response = self._take(piece)
        except DomainError as error:
            response = problem(error)
        return response.status, response.body

    def _take(self, piece: Piece) -> Response:
        pieces = self._pieces.get(piece.session)
        if pieces is None or pieces.mouth.uplink.room_id != piece.room_id or len(piece.data) > LARGEST_PIECE:
            raise refuse("SESSION_NOT_FOUND", "no such session: it has ended, or never was")
        uplink = pieces.mouth.uplink
        if piece.is_end:
            self._speakers.close(uplink)
            del self._pieces[piece.session]
            return json_response(200, {})
        pieces.heard_at = self._now()
        if uplink.ended is not None:
            return problem(uplink.ended, status_code=410)
        if piece.number > pieces.next:
            raise PieceMissing(f"the next piece is {pieces.next}")
        if piece.number == pieces.next:
            pieces.next += 1
            try:
                pieces.mouth.take(piece.data, self._now())
            except DomainError as error:
                self._speakers.close(uplink, error)
                return problem(error, status_code=410)
        return json_response(200, {"next": pieces.next, "muted": uplink.muted})

    async def _watch(self, pieces: _Pieces) -> None:
        uplink = pieces.mouth.uplink
        while uplink.ended is None:
            await asyncio.sleep(SILENT_SECONDS / 5)
            if self._now() - pieces.heard_at > SILENT_SECONDS:
                self._speakers.close(uplink, BodyTooSlow("no piece came for five seconds"))

    def _forget(self) -> None:
        """Those that ended first are forgotten first."""
        ended = [key for key, pieces in self._pieces.items() if pieces.mouth.uplink.ended is not None]
        for key in ended[: max(0, len(ended) - _REMEMBERED)]:
            del self._pieces[key]

    # --- what all have alike

    def _shown(self, request: Request) -> str:
        shown = self._callers.identify(request).shown
        if shown is None:
            raise NotSignedIn("speaking is for people who are signed in, or have a permit")
        return shown


def _room(room_id: str) -> str:
    if not is_id(room_id):
        raise refuse("ROOM_NOT_FOUND", "no such room")
    return room_id


def _form(text: Any) -> Form:
    if not isinstance(text, str) or text not in READERS:
        raise BodyInvalid(f"the form of what is sent is one of {', '.join(READERS)}")
    return text


def _understands(request: Request) -> str:
    return request.words(UNDERSTANDS).get(UNDERSTANDS, b"").decode("latin-1")


def _hello(text: str) -> tuple[str | None, Form]:
    """What the first message says: the permit, if it brings one, and the form of what follows. Raises BodyInvalid."""
    try:
        said = read_json(text.encode())
    except ValueError:
        said = None
    opening = said.get("open") if isinstance(said, dict) else None
    if not isinstance(opening, dict):
        raise BodyInvalid('the first message is {"open": {"permit": "…", "form": "opus"}}')
    permit = opening.get("permit")
    if permit is not None and not isinstance(permit, str):
        raise BodyInvalid("a permit is text")
    return permit or None, _form(opening.get("form", "opus"))


def _opened(uplink: Uplink) -> dict[str, object]:
    """With the relay, which pages and programs leave when they are told that it goes."""
    return {"session_id": uplink.session_id, "relay_id": uplink.relay_id, "muted": uplink.muted}


async def _tell(send: Send, what: dict[str, object]) -> None:
    await send({"type": "websocket.send", "text": json.dumps(what, ensure_ascii=False, separators=(",", ":"))})


async def _tell_news(uplink: Uplink, send: Send) -> None:
    """Says what becomes of a session until it is over; then closes the socket, which ends who reads it."""
    muted = uplink.muted
    while uplink.ended is None:
        await uplink.news()
        if uplink.muted != muted and uplink.ended is None:
            muted = uplink.muted
            await _tell(send, {"muted": muted})
    with suppress(Exception):
        await _tell(send, {"ended": {"reason": uplink.ended.reason, "message": uplink.ended.message}})
        await send({"type": "websocket.close", "code": 1000})


async def _tell_heard(mouth: _Mouth, send: Send) -> None:
    """Says what has come, as long as more comes: until it is cancelled, or the socket is gone."""
    told = None
    while mouth.uplink.ended is None:
        await asyncio.sleep(_CONFIRM_SECONDS)
        if mouth.newest == told or mouth.uplink.ended is not None:
            continue
        told = mouth.newest
        with suppress(Exception):
            await _tell(send, {"heard": told})
