"""Tells the directory which people's streams of events or sound opened or went, in batches, until they arrive."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from majlis.room_directory.v1 import sessions_pb2

from services.common.errors import DomainError
from services.common.sight.log import get_logger

_log = get_logger("streams")

GATHER_SECONDS = 0.15
CROWD_GATHER_SECONDS = 0.5
"""Between two reports while many come or go: each costs the directory much the same, however few it names."""
_CROWD = 20
_BATCH = 1000
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0

Send = Callable[[list[sessions_pb2.StreamChange]], Awaitable[None]]
_Place = tuple[str, str]


@dataclass(slots=True)
class _Streams:
    epoch: int
    count: int = 0
    sounding: int = 0
    """How many of them carry sound."""


class StreamReports:
    """Only the newest state of each room and person waits, so the queue is bounded by the people here."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open: dict[_Place, _Streams] = {}
        self._waiting: OrderedDict[_Place, sessions_pb2.StreamChange] = OrderedDict()
        self._something = asyncio.Event()

    def opened(self, room_id: str, user_id: str, epoch: int, *, sound: bool = False) -> None:
        """A stream of the seat opened; `sound` for one that carries it."""
        streams = self._open.setdefault((room_id, user_id), _Streams(epoch))
        streams.count += 1
        streams.sounding += sound
        streams.epoch = max(streams.epoch, epoch)
        self._note(room_id, user_id, streams)

    def closed(self, room_id: str, user_id: str, epoch: int, *, sound: bool = False) -> None:
        """A stream of the seat went; the last one of a person is told, and the last that carries sound."""
        streams = self._open.get((room_id, user_id))
        if streams is None:
            return
        streams.count -= 1
        streams.sounding -= sound
        if streams.count == 0:
            del self._open[room_id, user_id]
            streams.epoch = max(epoch, streams.epoch)
        if streams.count == 0 or (sound and streams.sounding == 0):
            self._note(room_id, user_id, streams)

    def resend_all(self) -> None:
        """The directory may have forgotten: tells it all that is open."""
        for (room_id, user_id), streams in self._open.items():
            self._note(room_id, user_id, streams)

    def resend(self, room_id: str) -> None:
        """Another copy of the directory owns a room, and knows of no stream: tells it those of the room."""
        for (watched_id, user_id), streams in self._open.items():
            if watched_id == room_id:
                self._note(watched_id, user_id, streams)

    async def run(self) -> None:
        """Sends for ever."""
        pause, gather = _FIRST_PAUSE_SECONDS, GATHER_SECONDS
        while True:
            await self._something.wait()
            await asyncio.sleep(gather)
            batch = self._next_batch()
            gather = CROWD_GATHER_SECONDS if len(batch) > _CROWD else GATHER_SECONDS
            try:
                await self._send(batch)
                pause = _FIRST_PAUSE_SECONDS
            except DomainError as error:
                _log.info("stream changes not reported yet", reason=error.reason, changes=len(batch))
                self._put_back(batch)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)

    def _note(self, room_id: str, user_id: str, streams: _Streams) -> None:
        change = sessions_pb2.StreamChange(
            room_id=room_id,
            user_id=user_id,
            epoch=streams.epoch,
            open=streams.count > 0,
            sound=streams.sounding > 0,
        )
        self._waiting[room_id, user_id] = change
        self._something.set()

    def _next_batch(self) -> list[sessions_pb2.StreamChange]:
        batch: list[sessions_pb2.StreamChange] = []
        while self._waiting and len(batch) < _BATCH:
            batch.append(self._waiting.popitem(last=False)[1])
        if not self._waiting:
            self._something.clear()
        return batch

    def _put_back(self, batch: list[sessions_pb2.StreamChange]) -> None:
        for change in batch:
            self._waiting.setdefault((change.room_id, change.user_id), change)
        if self._waiting:
            self._something.set()
