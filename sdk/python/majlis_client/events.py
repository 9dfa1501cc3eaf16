"""A room's event stream that outlives lost connections."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import Any

from majlis.gateway.v1 import event_service_pb2
from majlis.room_directory.v1 import room_events_pb2

from majlis_client.errors import MajlisError
from majlis_client.seats import Seats

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
# A pulse comes every few seconds at least: silence this long means the connection is dead.
_SILENCE_SECONDS = 15.0


async def watch(
    stub: Any, room_id: str, after_revision: int, seats: Seats
) -> AsyncGenerator[room_events_pb2.RoomEvent, None]:
    """Events after a revision, then live ones; ends when the room does.

    Give the revision of the view you have, such as JoinRoom's snapshot. What comes before a `stream_status` happened
    before the stream was opened; a later one says when what was sent may be old, and each which relays of the room
    spare their listeners something (`sparing`; a MediaSession's own is its `relay`). A lost stream is opened again
    after the last revision seen, and nothing comes twice; so is one whose seat this very client took anew. Raises
    MajlisError when the seat or the sign-in ended.
    """
    revision, pause, fresh_token_tried = after_revision, _FIRST_PAUSE_SECONDS, False
    while True:
        request, joins = event_service_pb2.WatchRequest(room_id=room_id, after_revision=revision), seats.joins(room_id)
        try:
            async with contextlib.aclosing(_until_silent(stub.Watch(request))) as events:
                async for event in events:
                    pause, fresh_token_tried = _FIRST_PAUSE_SECONDS, False
                    if _is_known(event, revision):
                        continue
                    if _is_news(event):
                        revision = event.revision
                    yield event
                    if event.HasField("room_ended"):
                        return
        except MajlisError as error:
            if error.wants_token and not fresh_token_tried:
                fresh_token_tried = True
            elif error.reason == "SEAT_ENDED" and seats.joins(room_id) != joins:
                pause = _FIRST_PAUSE_SECONDS
            elif not error.passing:
                seats.forget(room_id)
                raise
            pause = max(pause, error.retry_after_seconds or 0.0)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)


_OF_HANDS = {"hand_queue", "hand_raised", "hand_lowered", "own_hand"}
_NO_NEWS = frozenset(
    {"pulse", "stream_status", "booth_signalled", "input_quality", "listener_rungs", "speakers", *_OF_HANDS}
)


def _is_news(event: room_events_pb2.RoomEvent) -> bool:
    """Whether an event brings its reader to its revision; what is counted, signed or measured only repeats one."""
    return event.WhichOneof("event") not in _NO_NEWS


def _is_known(event: room_events_pb2.RoomEvent, revision: int) -> bool:
    """Whether a reader who is at a revision has the event: a stream goes back only where the room itself did."""
    return _is_news(event) and event.revision <= revision and not event.rewound


async def _until_silent(stream: Any) -> AsyncGenerator[room_events_pb2.RoomEvent, None]:
    messages = aiter(stream)
    try:
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await anext(messages, None)
            if message is None:
                return
            yield message.event
    except TimeoutError:
        raise MajlisError("unavailable", "UNREACHABLE", "the event stream fell silent") from None
    finally:
        stream.cancel()
