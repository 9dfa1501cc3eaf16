"""Signs from the booths of one room, and what is measured for them: each to those alone whom it concerns."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from majlis.room_directory.v1 import booth_events_pb2, booth_pb2, input_quality_pb2, room_events_pb2, room_pb2

from services.gateway.watch.frames import of_fact
from services.gateway.watch.subscriber import Readers, Subscriber

_TO_BOOTH = (
    booth_pb2.BOOTH_SIGNAL_KIND_FIVE_MINUTES,
    booth_pb2.BOOTH_SIGNAL_KIND_TWO_MINUTES,
    booth_pb2.BOOTH_SIGNAL_KIND_TAKE_OVER_PLEASE,
    booth_pb2.BOOTH_SIGNAL_KIND_CHAT,
)
_TO_FLOOR = (
    booth_pb2.BOOTH_SIGNAL_KIND_SLOWER,
    booth_pb2.BOOTH_SIGNAL_KIND_LOUDER,
    booth_pb2.BOOTH_SIGNAL_KIND_REPEAT,
    booth_pb2.BOOTH_SIGNAL_KIND_SOFTER,
    booth_pb2.BOOTH_SIGNAL_KIND_MICROPHONE,
)


class SignalFeed:
    """Knows who is where on stage, and passes signs on; whoever comes later is told of none."""

    def __init__(self, readers: Readers, reached: Callable[[], int]) -> None:
        """`reached` gives the room's revision that its readers have."""
        self._readers = readers
        self._reached = reached
        self._stage: dict[str, room_pb2.StageSeat] = {}

    def begin(self, snapshot: room_pb2.RoomSnapshot) -> None:
        """Who is on stage, all told."""
        self._stage = {seat.person.user_id: seat for seat in snapshot.stage}

    def note(self, fact: Any) -> None:
        """What somebody on stage is from now on; any other fact changes nothing."""
        match fact:
            case room_events_pb2.StageJoined() | room_events_pb2.StageSeatChanged():
                self._stage[fact.seat.person.user_id] = fact.seat
            case room_events_pb2.StageLeft() | room_events_pb2.PersonRemoved():
                self._stage.pop(fact.user_id, None)

    def take(self, signal: booth_events_pb2.BoothSignalled) -> None:
        """Passes one sign on."""
        self._pass_on(signal, self._concerned(signal))

    def measured(self, quality: input_quality_pb2.InputQuality, term: int) -> None:
        """Tells those who sit in booths, and moderators, how speakers and interpreters are heard.

        `term` is the newest owner's. What a relay tells says nothing of who owns the room, nor that its owner is heard.
        """
        if quality.term >= term:
            self._pass_on(quality, self._at_work())

    def _pass_on(self, fact: Any, to: Iterator[Subscriber]) -> None:
        readers = list(to)
        if readers:
            frame, now = of_fact(fact, self._reached()), asyncio.get_running_loop().time()
            for reader in readers:
                reader.push(frame, now)

    def _at_work(self) -> Iterator[Subscriber]:
        for user_id, seat in self._stage.items():
            if seat.language or seat.role == room_pb2.ROLE_MODERATOR:
                yield from self._readers.of(user_id)

    def _concerned(self, signal: booth_events_pb2.BoothSignalled) -> Iterator[Subscriber]:
        for user_id, seat in self._stage.items():
            moderates = seat.role == room_pb2.ROLE_MODERATOR
            if signal.kind in _TO_BOOTH:
                concerned = seat.language == signal.language
            elif signal.kind in _TO_FLOOR:
                concerned = moderates or not seat.language
            else:
                concerned = moderates
            if concerned:
                yield from self._readers.of(user_id)
