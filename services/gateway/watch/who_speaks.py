"""Who speaks in a room just now, for readers whose sound does not say it: over HTTPS, and where there is only text."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.common.tasks import Background
from services.gateway.watch.frames import Frame, of_speakers
from services.gateway.watch.subscriber import Subscriber
from services.programme.channels import FLOOR, Channel
from services.programme.listener import Heard

LOOK_SECONDS: Final = 0.5
"""How often it is looked whether others speak than were told of."""
BREATH_SECONDS: Final = 0.8
"""Who takes a breath still speaks."""
QUIETEST: Final = 50
"""Frames below this level, in -dBov (RFC 6464), are somebody's room and not their voice."""


class Source(Protocol):
    """Frames of a channel, in order."""

    async def __anext__(self) -> Heard: ...


OpenSource = Callable[[Channel], AbstractAsyncContextManager[Source]]


class Floor:
    """Who is heard in the frames of one floor. Pure."""

    def __init__(self) -> None:
        self._named: dict[int, float] = {}
        """When each member was last heard, in seconds."""

    def hear(self, members: Iterable[int], level: int, now: float) -> None:
        """A frame, which names who is in it."""
        if level <= QUIETEST:
            self._named.update(dict.fromkeys(members, now))

    def speakers(self, now: float) -> tuple[int, ...]:
        """Their member numbers, the lowest first."""
        self._named = {member: at for member, at in self._named.items() if now - at < BREATH_SECONDS}
        return tuple(sorted(self._named))


@dataclass(slots=True)
class _Room:
    reached: Callable[[], int]
    """The room's revision that its readers have."""
    readers: dict[Subscriber, None] = field(default_factory=dict)
    told: tuple[int, ...] = ()
    task: asyncio.Task[None] | None = None

    def frame(self) -> Frame:
        return of_speakers(self.reached(), self.told)


class WhoSpeaks:
    """Listens to the floors of those rooms where somebody asks who speaks, and to no other."""

    def __init__(self, source: OpenSource, background: Background) -> None:
        self._source = source
        self._background = background
        self._rooms: dict[str, _Room] = {}

    def join(self, reader: Subscriber, reached: Callable[[], int]) -> None:
        """Tells this reader from now on; leave with `leave`."""
        room = self._rooms.setdefault(reader.room_id, _Room(reached))
        room.readers[reader] = None
        if room.told:
            reader.push(room.frame(), _now())
        if room.task is None:
            room.task = self._background.spawn("who speaks", lambda: self._follow(reader.room_id, room), restart=True)

    def leave(self, reader: Subscriber) -> None:
        """Tells this reader no more; one that never joined changes nothing."""
        room = self._rooms.get(reader.room_id)
        if room is None or reader not in room.readers:
            return
        del room.readers[reader]
        if not room.readers:
            del self._rooms[reader.room_id]
            if room.task is not None:
                room.task.cancel()

    async def _follow(self, room_id: str, room: _Room) -> None:
        floor = Floor()
        async with self._source(Channel(room_id, FLOOR)) as source:
            while True:
                await _hear(source, floor)
                speakers = floor.speakers(_now())
                if speakers != room.told:
                    room.told = speakers
                    frame, now = room.frame(), _now()
                    for reader in list(room.readers):
                        reader.push(frame, now)


async def _hear(source: Source, floor: Floor) -> None:
    """Takes the frames of one look."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            while True:
                frame = (await source.__anext__()).frame
                floor.hear(frame.members, frame.level, _now())
    except TimeoutError:
        return


def _now() -> float:
    return asyncio.get_running_loop().time()
