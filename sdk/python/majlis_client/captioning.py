"""What is said in a room as text: watching it over lost connections, and writing it."""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.gateway.v1 import caption_stream_service_pb2
from majlis.room_directory.v1 import caption_pb2, caption_service_pb2

from majlis_client.backoff import Backoff
from majlis_client.errors import MajlisError
from majlis_client.seats import Seats

FLOOR = "floor"
"""Stands for a language: whatever is spoken on the floor."""
LONGEST_TEXT = 500
"""Characters of one caption."""
INTERIM_SECONDS = 0.3
"""Interims come no closer together: a person may send five a second of all their captions."""
_KEPT_SECONDS = 660.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_FINAL_TRIES = 6


@dataclass(frozen=True, slots=True)
class CaptionTold:
    """A caption as it is now; one with the same `writer_id` and `caption_id` takes the place of the one before."""

    caption: caption_pb2.Caption
    past: bool
    """Whether it was written before one began to watch."""


async def watch_captions(stub: Any, room_id: str, language: str, seats: Seats) -> AsyncGenerator[CaptionTold, None]:
    """The captions of the last ten minutes, then each that is new, changed, corrected or hidden; ends with the room.

    A lost stream is opened again, and nothing comes twice. Raises MajlisError when the seat or the sign-in ended.
    """
    pause, fresh_token_tried, known, is_first = _FIRST_PAUSE_SECONDS, False, _Known(), True
    while True:
        request = caption_stream_service_pb2.WatchCaptionsRequest(room_id=room_id, language=language)
        joins = seats.joins(room_id)
        stream = stub.WatchCaptions(request)
        try:
            async for message in stream:
                pause, fresh_token_tried = _FIRST_PAUSE_SECONDS, False
                for caption in message.captions:
                    if known.is_news(caption):
                        # After a break the past is what was missed.
                        yield CaptionTold(caption, message.past and is_first)
                is_first = False
            # It ends so with its gateway, or with its room: opening it again tells which.
        except MajlisError as error:
            if error.reason == "ROOM_ENDED":
                return
            if error.wants_token and not fresh_token_tried:
                fresh_token_tried = True
            elif error.reason == "SEAT_ENDED" and seats.joins(room_id) != joins:
                pause = _FIRST_PAUSE_SECONDS
            elif not error.passing:
                seats.forget(room_id)
                raise
            pause = max(pause, error.retry_after_seconds or 0.0)
        finally:
            stream.cancel()
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)


class _Known:
    """Which captions a reader has, and as of which change."""

    def __init__(self) -> None:
        self._changed: dict[tuple[str, str], int] = {}

    def is_news(self, caption: caption_pb2.Caption) -> bool:
        name, changed = (caption.writer_id, caption.caption_id), caption.changed_at.ToNanoseconds()
        if self._changed.get(name, 0) >= changed:
            return False
        is_unseen = name not in self._changed
        self._changed[name] = changed
        oldest = changed - _KEPT_SECONDS * 1e9
        for each in [each for each, at in self._changed.items() if at < oldest]:
            del self._changed[each]
        # Nobody has to forget what they never saw.
        return not (caption.hidden and is_unseen)


class CaptionWriter:
    """Writes the captions of one language of a room, one after the other: interims of each, then how it stays.

    It keeps to the pace that the server allows: interims that come too fast are left out, a final one never. A lost
    connection, a server that restarts and a seat that the server lost are got over.
    """

    def __init__(self, stub: Any, room_id: str, language: str, seats: Seats, *, room_key: str = "") -> None:
        self._stub = stub
        self._room_id = room_id
        self._language = language
        self._seats = seats
        self._room_key = room_key
        self._id = secrets.token_urlsafe(9)
        self._next_at = 0.0
        self._shown = ""

    async def interim(self, text: str, *, speaker: str = "", spoken_at: float | None = None) -> None:
        """Shows what is understood so far of the caption that is being said; empty takes it back.

        `speaker` is the user id of who says it, `spoken_at` epoch seconds.
        """
        text = cut(text)
        now = time.monotonic()
        if now < self._next_at or text == self._shown:
            return
        self._next_at = now + INTERIM_SECONDS
        # One that is lost is soon followed by the next.
        with contextlib.suppress(MajlisError):
            await self._stub.SendCaption(self._request(text, final=False, speaker=speaker, spoken_at=spoken_at))
            self._shown = text

    async def final(
        self, text: str, *, speaker: str = "", spoken_at: float | None = None
    ) -> caption_pb2.Caption | None:
        """Ends the caption with these words; None where there are none. Raises MajlisError when it may not."""
        text, shown = cut(text), self._shown
        if not text and not shown:
            return None
        request = self._request(text, final=True, speaker=speaker, spoken_at=spoken_at)
        self._id, self._shown = secrets.token_urlsafe(9), ""
        answer = await self._sent(self._stub.SendCaption, request)
        return answer.caption if text else None

    async def correct(self, caption: caption_pb2.Caption, text: str) -> None:
        """Changes the words of a final caption of the last ten minutes; without words it is taken out.

        Raises MajlisError when it may not, CAPTION_UNKNOWN for one that is older or taken out.
        """
        if not (text := cut(text)):
            await self.hide(caption)
            return
        request = caption_service_pb2.CorrectCaptionRequest(**self._name(caption), text=text)
        await self._sent(self._stub.CorrectCaption, request)

    async def hide(self, caption: caption_pb2.Caption) -> None:
        """Takes a caption of the last ten minutes out, for everybody. Raises MajlisError as `correct` does."""
        request = caption_service_pb2.HideCaptionRequest(**self._name(caption))
        await self._sent(self._stub.HideCaption, request)

    def _name(self, caption: caption_pb2.Caption) -> dict[str, str]:
        return {
            "room_id": self._room_id,
            "language": self._language,
            "writer_id": caption.writer_id,
            "caption_id": caption.caption_id,
        }

    def _request(
        self, text: str, *, final: bool, speaker: str, spoken_at: float | None
    ) -> caption_service_pb2.SendCaptionRequest:
        return caption_request(
            self._room_id,
            self._language,
            text,
            caption_id=self._id,
            final=final,
            speaker=speaker,
            spoken_at=spoken_at,
        )

    async def _sent(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        backoff = Backoff()
        for attempt in range(1, _FINAL_TRIES + 1):
            epoch = self._seats.epoch(self._room_id)
            try:
                answer = await send(request)
            except MajlisError as error:
                if attempt == _FINAL_TRIES or not (backoff.failed(error) or error.outside):
                    raise
                if error.outside:
                    await self._seats.restore(self._room_id, self._room_key, epoch, without_permit=True)
                await backoff.wait()
            else:
                return answer
        raise AssertionError("unreachable")


def caption_request(
    room_id: str,
    language: str,
    text: str,
    *,
    caption_id: str,
    final: bool,
    speaker: str = "",
    spoken_at: float | None = None,
) -> caption_service_pb2.SendCaptionRequest:
    """A request of SendCaption; `spoken_at` in epoch seconds."""
    at = None
    if spoken_at is not None:
        at = Timestamp()
        at.FromMicroseconds(int(spoken_at * 1e6))
    return caption_service_pb2.SendCaptionRequest(
        room_id=room_id,
        language=language,
        caption_id=caption_id,
        text=text,
        final=final,
        speaker_user_id=speaker,
        spoken_at=at,
    )


def cut(text: str) -> str:
    """The text on one line, no longer than a caption may be: of a longer one its end, for that is what is new."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else f"…{line[-(LONGEST_TEXT - 1) :]}"
