"""Measures for interpreters how those on the floor can be heard and how far each booth is behind, and tells them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from majlis.room_directory.v1.input_quality_pb2 import InputQuality

from services.common.clock import Clock
from services.common.sight.metrics import Metrics
from services.media_relay.domain.booths import FLOOR_BOOTH
from services.media_relay.domain.inputs import Fault, Inputs, Reading, judge
from services.media_relay.domain.lag import Lag
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.messages import input_quality
from services.media_relay.programme.room_media import RoomMediaTable

LOOK_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
"""What did not change is told again after so long, for who sat down since."""
_STEPS = 400

_DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(slots=True)
class _Room:
    """What was told of a room, and who is behind how far."""

    told: Inputs = field(default_factory=Inputs)
    told_at: float = 0.0
    now: Inputs = field(default_factory=Inputs)
    lags: dict[tuple[str, int], Lag] = field(default_factory=dict)
    """By booth and who is heard from it."""


class InputWatch:
    """Looks at each stage here while somebody sits in a booth of it, and at no other."""

    def __init__(
        self,
        relay: Relay,
        rooms: RoomMediaTable,
        read: Callable[[int], Sequence[Reading]],
        tell: Callable[[InputQuality], Awaitable[None]],
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """`read` gives what is measured on a stage, and goes on measuring while it is asked; it may take a moment."""
        self._relay = relay
        self._rooms = rooms
        self._read = read
        self._tell = tell
        self._clock = clock
        self._known: dict[str, _Room] = {}
        self._delays = metrics.histogram(
            "majlis_media_relay_booth_delay_seconds",
            "How far interpreters are behind the floor, where it is known, looked at every two seconds.",
            buckets=_DELAYS,
        )
        poor = metrics.gauge(
            "majlis_media_relay_poor_inputs", "People on floors that are interpreted, by what is wrong.", ("fault",)
        )
        for fault in Fault:
            poor.labels(fault.value).set_function(self._counting(fault))

    async def look(self) -> None:
        """Measures, and tells what changed; call it every two seconds."""
        at_work = {room_id: people for room_id in self._relay.sessions.rooms() if (people := self._at_work(room_id))}
        # As a new dictionary: the thread that serves /metrics iterates over the one before.
        self._known = {room_id: self._known.get(room_id, _Room()) for room_id in at_work}
        for room_id in at_work:
            stage = self._rooms.stage_here(room_id)
            if stage is None:
                continue
            readings = await asyncio.to_thread(self._read, stage)
            # As it is by now: rooms change while the core is asked.
            people = self._at_work(room_id)
            if people:
                await self._take(room_id, people, {reading.member: reading for reading in readings})

    def _at_work(self, room_id: str) -> list[MediaSession]:
        """Everybody on a stage here; nobody where no booth has somebody in it."""
        if not self._relay.rooms.is_home(room_id) or not self._relay.rooms.booths(room_id):
            return []
        stage = [
            session
            for session in self._relay.sessions.of_room(room_id)
            if session.kind is Kind.STAGE and session.connected and not session.silenced
        ]
        return stage if any(session.permit.booth != FLOOR_BOOTH for session in stage) else []

    async def _take(self, room_id: str, people: list[MediaSession], read: Mapping[int, Reading]) -> None:
        room, now = self._known[room_id], self._clock.monotonic()
        floor = {
            session.permit.member: session.permit.user_id
            for session in people
            if session.permit.booth == FLOOR_BOOTH and session.permit.member in read
        }
        before = room.now.speakers
        speakers = {member: judge(user_id, read[member], before.get(member)) for member, user_id in floor.items()}
        room.now = Inputs(speakers, self._behind(room_id, room, people, read, _together(read[each] for each in floor)))
        if room.now.differ(room.told) or now - room.told_at >= _AGAIN_SECONDS:
            room.told, room.told_at = room.now, now
            part = self._relay.rooms.get(room_id)
            await self._tell(input_quality(room_id, part.term if part else 0, self._clock.now(), room.now))

    def _behind(
        self, room_id: str, room: _Room, people: list[MediaSession], read: Mapping[int, Reading], floor: str
    ) -> dict[str, float | None]:
        """How far each booth is behind in which somebody is at work."""
        present = {(session.permit.booth, session.permit.member) for session in people}
        leading = {(booth.language, booth.active_member) for booth in self._relay.rooms.booths(room_id).values()}
        room.lags = {each: room.lags.get(each, Lag()) for each in sorted(leading & present)}
        for (_, member), lag in room.lags.items():
            lag.look(floor, _together([read[member]] if member in read else []))
            if lag.seconds is not None:
                self._delays.observe(lag.seconds)
        return {booth: lag.seconds for (booth, _), lag in room.lags.items()}

    def _counting(self, fault: Fault) -> Callable[[], float]:
        return lambda: sum(
            fault in speaker.faults for room in self._known.values() for speaker in room.now.speakers.values()
        )


def _together(readings: Iterable[Reading]) -> str:
    """When any of them spoke, over all the time that is kept."""
    spoken = 0
    for reading in readings:
        spoken |= int(reading.activity or "0", 2)
    return f"{spoken:0{_STEPS}b}"[-_STEPS:]
