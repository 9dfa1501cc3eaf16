"""Connections as gateways and relays report them, and what time brings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRoom, LiveRooms, TakeEpoch
from services.room_directory.app.people import People
from services.room_directory.app.ports import Act, Announcer, Counters, Limits, Pulse
from services.room_directory.domain.adoption import adopt_sessions, adopt_stream, is_news_of_seat
from services.room_directory.domain.ended import EndedSignIns
from services.room_directory.domain.presence import SessionNews, is_due, review, set_session, set_stream, tick
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Downgrade, Rungs, downgrade
from services.room_directory.domain.seats import SessionState

_LONGEST_JOIN_SECONDS = 60.0
_RUNGS_EVERY = 2
"""Every how manyth pulse tells by which way people hear: all seats are looked at for it."""

_log = get_logger("presence")


@dataclass(frozen=True, slots=True)
class StreamNews:
    """A stream of a seat opened or went."""

    room_id: str
    user_id: str
    epoch: int
    is_open: bool
    sound: bool = False
    """Whether one that is open carries sound."""


class Presence:
    """Who is connected, and the rounds that look after rooms."""

    def __init__(
        self,
        rooms: LiveRooms,
        fleet: Fleet,
        people: People,
        announcer: Announcer,
        ended: EndedSignIns,
        *,
        clock: Clock,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._rooms = rooms
        self._fleet = fleet
        self._people = people
        self._announcer = announcer
        self._ended = ended
        self._clock = clock
        self._limits = limits
        self._counters = counters

    async def report_streams(self, changes: Iterable[StreamNews]) -> None:
        """Takes in which event streams opened or went."""
        by_room: defaultdict[str, list[StreamNews]] = defaultdict(list)
        for change in changes:
            by_room[change.room_id].append(change)
        now = self._clock.now()
        for room_id, news in by_room.items():

            def decide(room: Room, _: TakeEpoch, news: list[StreamNews] = news) -> list[Downgrade]:
                went: list[Downgrade] = []
                for each in news:
                    if each.is_open:
                        adopt_stream(room, each.user_id, each.epoch, now)
                    seat = room.seats.get(each.user_id)
                    set_stream(room, each.user_id, each.epoch, each.is_open, now, sound=each.sound)
                    if seat is not None and room.seats[each.user_id].listens and (why := downgrade(seat)) is not None:
                        went.append(why)
                review(room, now)
                return went

            if self._rooms.get(room_id) is not None:
                act = Act("gateway", "report_streams", room_id, goes_on=True)
                changed = await self._rooms.change(room_id, act, decide)
                for why in changed.result:
                    self._counters.downgraded(why)

    async def report_sessions(self, relay_id: str, boot_id: str, changes: Iterable[tuple[str, SessionNews]]) -> None:
        """Takes in what became of media sessions; news of an older start of the relay is void."""
        if not self._fleet.is_current(relay_id, boot_id):
            return
        by_room: defaultdict[str, list[SessionNews]] = defaultdict(list)
        for room_id, news in changes:
            by_room[room_id].append(news)
            self._fleet.promises.heard(relay_id, room_id, news)
        now = self._clock.now()
        for room_id, all_news in by_room.items():

            def decide(room: Room, _: TakeEpoch, all_news: list[SessionNews] = all_news) -> list[float]:
                waited: list[float] = []
                for news in all_news:
                    waited += _wait_for_sound(room, news, now)
                    if news.user_id not in room.seats and is_news_of_seat(news):
                        adopt_sessions(room, (news,), self._ended.has_ended, now)
                    else:
                        set_session(room, news, now)
                review(room, now)
                return waited

            live = self._rooms.get(room_id)
            if live is not None:
                self._rooms.served_by(live, (relay_id,))
                act = Act("media_relay", "report_sessions", room_id, goes_on=True)
                changed = await self._rooms.change(room_id, act, decide)
                for seconds in changed.result:
                    self._counters.sounding(seconds)

    async def tick(self) -> None:
        """Does in every room what its time has come for."""
        for live in self._rooms:
            now, wanted = self._clock.now(), bool(live.line)
            if not is_due(live.room, now, wanted=wanted):
                continue
            room_id = live.room.room_id
            act = Act("room_directory", "tick", room_id, goes_on=True)
            try:
                await self._rooms.change(room_id, act, partial(tick, now=now, wanted=wanted))
            except DomainError as error:
                _log.info("a room's time could not be kept", room_id=room_id, reason=error.reason)

    async def learn(self) -> None:
        """Chooses who of each audience is shown, and fetches the profiles that rooms show and nobody knows yet."""
        wanted: dict[str, None] = {}
        for live in self._rooms:
            room = live.room
            audience = (user_id for user_id in room.seats if user_id not in room.stage)
            live.sample = tuple(islice(audience, self._limits.sample_size))
            wanted |= dict.fromkeys((room.creator_id, *room.stage, *room.captioners, *live.sample))
        await self._people.get(wanted)

    async def pulse(self) -> None:
        """Sends each room's counts, with the sample of its audience when that, or a profile in it, changed."""
        listeners = hands = booths = interpreting = silent = 0
        rungs = Rungs()
        for live in self._rooms:
            if self._rooms.may_go_on(live):
                self._pulse(live)
            rungs += live.rungs
            listeners += live.room.listener_count()
            hands += len(live.room.hands)
            booths += len(live.room.booths)
            silent += len(live.room.silent)
            interpreting += sum(bool(seat.booth) for seat in live.room.stage.values())
        self._counters.rungs(rungs)
        self._counters.counted(
            rooms=len(self._rooms),
            listeners=listeners,
            hands=hands,
            booths=booths,
            interpreting=interpreting,
            silent=silent,
        )

    def _pulse(self, live: LiveRoom) -> None:
        room = live.room
        people = self._people.known(live.sample)
        sample = tuple((room.seats[user_id].epoch, people[user_id]) for user_id in live.sample if user_id in room.seats)
        changed = sample != live.sample_told
        live.sample_told = sample
        counted = live.pulses % _RUNGS_EVERY == 0
        if counted:
            live.rungs = self._fleet.listeners.rungs(room)
        live.web = self._fleet.listeners.web(room.room_id)
        live.pulses += 1
        self._announcer.pulse(
            Pulse(
                room.room_id,
                room.revision,
                self._clock.now(),
                room.listener_count(),
                len(room.hands),
                tuple(person for _, person in sample) if changed else None,
                room.queue_revision,
                room.term,
                live.rungs if counted else None,
                live.web,
            )
        )


def _wait_for_sound(room: Room, news: SessionNews, now: datetime) -> list[float]:
    """How long the person waited, where this is the first sound of their seat."""
    seat = room.seats.get(news.user_id)
    if seat is None or news.state is not SessionState.UP or seat.session is not SessionState.PENDING:
        return []
    # Who sat there for longer has had sound before and comes back: another story.
    waited = (now - seat.joined_at).total_seconds()
    return [waited] if 0 <= waited <= _LONGEST_JOIN_SECONDS else []
