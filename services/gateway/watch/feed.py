"""The events of one room, kept in order in one ring for all who watch it here."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from majlis.room_directory.v1 import input_quality_pb2, room_events_pb2, room_pb2
from majlis.room_directory.v1.booth_events_pb2 import BoothSignalled

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.tasks import Background
from services.gateway.domain.errors import SeatEnded
from services.gateway.domain.relays import Spared
from services.gateway.domain.ring import Ring
from services.gateway.watch.captions import CaptionFeed
from services.gateway.watch.frames import COMMENT, QUEUE_FACTS, Frame, Standing, of_fact, of_snapshot, pulse_of
from services.gateway.watch.hands import HandFeed
from services.gateway.watch.pulses import PulsePace
from services.gateway.watch.signals import SignalFeed
from services.gateway.watch.subscriber import Readers, Subscriber

_log = get_logger("feed")

GAP_GRACE_SECONDS = 0.15
"""How long a missing revision may be late before a snapshot replaces it."""
_MOST_AHEAD = 1000
_BACKWARDS_PULSES = 3
_OVERTAKEN_BY = 8
SILENCE_SECONDS = 3.0
"""A bus that brings no pulse of a live room for this long brings no events either."""
_LOOK_SECONDS = 1.0
"""How often the directory is asked while the bus is silent."""
_KEEP_LOOKING_SECONDS = 10.0
OLD_AFTER_SECONDS = 4.0
"""What is shown may be old when neither the bus nor the directory was heard for this long."""

FetchSnapshot = Callable[[], Awaitable[tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]]]


class Feed:
    """Feeds the readers of one room: snapshot first, then events by rising revision, gaps closed by a new snapshot."""

    def __init__(
        self,
        room_id: str,
        fetch: FetchSnapshot,
        ring_limit: int,
        background: Background,
        captions: CaptionFeed,
        *,
        owner_is_new: Callable[[], None] = lambda: None,
    ) -> None:
        self.room_id = room_id
        self._owner_is_new = owner_is_new
        self.subscribers = Readers()
        self.captions = captions
        self.is_over = False
        """The room has ended: nothing will follow."""
        self.touched_at = 0.0
        """Loop time of the last event sent; kept by `_send`."""
        self._fetch = fetch
        self._background = background
        self._ring: Ring[Frame] = Ring(ring_limit)
        self._shown: room_pb2.RoomSnapshot | None = None
        """The newest snapshot that was fetched."""
        self._snapshot: Frame | None = None
        self._refreshing: asyncio.Future[None] | None = None
        self._for_all = False
        """Whether the snapshot being fetched is for everybody, rather than for newcomers alone."""
        self._ahead: dict[int, Any] = {}
        self._claimed = 0
        """The highest revision a reader came with that is not here yet."""
        self._gap_timer: asyncio.TimerHandle | None = None
        self._gap_of_room = False
        """Whether the gap that is watched is of the room itself, not of its hand queue alone."""
        self._pulse: room_events_pb2.RoomPulse | None = None
        self._older_pulses = 0
        self._pace = PulsePace()
        self._heard_at = self._fresh_at = _now()
        """Loop times at which the bus, and the bus or the directory, last told how things stand."""
        self._look_at = 0.0
        self._joined_at = -_KEEP_LOOKING_SECONDS
        self._hands = HandFeed(self.subscribers, lambda: self._ring.revision)
        self._signals = SignalFeed(self.subscribers, lambda: self._ring.revision)
        self._standing = Standing()
        self._term = 0
        """The newest owner of the room that was heard: what an older one tells is void."""

    @property
    def revision(self) -> int:
        """The newest revision its readers have."""
        return self._ring.revision

    async def join(self, subscriber: Subscriber, after: int | None) -> str:
        """Adds a reader that has everything up to `after` (None: nothing); says how it was served: resumed or snapshot.

        What it lacks comes first, then the stream's status. Raises what fetching the snapshot raises; the reader is not
        added then.
        """
        wanted = max(after or 0, self._ring.revision)
        await self.begin()
        subscriber.has = after or 0
        missed = self._missed(after)
        resumed = missed is not None
        if missed is None:
            missed = await self._from_the_beginning(subscriber.has, wanted)
        elif subscriber.has > self._ring.revision:
            self._claimed = max(self._claimed, subscriber.has)
            self._watch_gap()
        own = self._hands.first(subscriber)
        subscriber.prefill([*missed, *own, self._standing.frame(self._ring.revision)], _now())
        self.subscribers.add(subscriber)
        self._joined_at = _now()
        if self.is_over:
            subscriber.end()
        return "resumed" if resumed else "snapshot"

    async def begin(self) -> None:
        """Knows the room from here on. Raises what fetching the snapshot raises."""
        if self._snapshot is None:
            # A gateway that just started: most readers lack nothing, and learn it from one fetch for all.
            await self.refresh()

    @property
    def is_watched(self) -> bool:
        """Whether anybody reads here what happens or is said."""
        return bool(self.subscribers) or bool(self.captions.readers)

    async def refresh(self) -> None:
        """Fetches the snapshot, since events may be lost, for whoever lacks some; all who ask share one fetch."""
        await self._renew(for_all=True)

    async def take(self, fact: Any) -> None:
        """One event from the bus."""
        if isinstance(fact, input_quality_pb2.InputQuality):
            self._signals.measured(fact, self._term)
            return
        if self._is_of_older_owner(fact.term):
            return
        self._heard_at = self._fresh_at = _now()
        if self._snapshot is None:
            self._keep_for_later(fact)
        elif isinstance(fact, room_events_pb2.RoomPulse):
            self._take_pulse(fact)
        elif isinstance(fact, QUEUE_FACTS):
            self._hands.take(fact)
            if self._hands.is_behind:
                self._watch_gap(of_room=False)
        elif isinstance(fact, BoothSignalled):
            self._signals.take(fact)
        elif fact.revision > self._ring.revision + 1:
            self._keep_for_later(fact)
            self._watch_gap()
        elif fact.revision == self._ring.revision + 1:
            self._accept(fact)
            self._catch_up()

    def _is_of_older_owner(self, term: int) -> bool:
        if term < self._term:
            return True
        if term > self._term:
            is_new, self._term = self._term > 0, term
            if is_new:
                # It knows nothing of streams, and what its rows lack of what the one before told is undone.
                self._owner_is_new()
                self._background.spawn("room snapshot", self._refresh_quietly)
        return False

    def heartbeat(self, now: float, idle_seconds: float) -> None:
        """Sends a comment to all when nothing was sent for a while, so that proxies and clients see life."""
        if now - self.touched_at >= idle_seconds:
            self._send(COMMENT)

    def wants_a_look(self, now: float) -> bool:
        """Whether the directory should be asked at `now` (loop seconds), since the bus is silent: see `look`."""
        silent = now - self._heard_at > SILENCE_SECONDS
        # Some readers ask from time to time instead of staying.
        watched = self.is_watched or now - self._joined_at < _KEEP_LOOKING_SECONDS
        return silent and now >= self._look_at and watched and not self.is_over

    async def look(self) -> None:
        """Asks the directory what the bus does not tell, once for all readers."""
        try:
            await self.refresh()
            assert self._shown is not None
            self._show_pulse(pulse_of(self._shown))
        except DomainError as error:
            _log.info("neither the bus nor the directory tells of a room", room_id=self.room_id, reason=error.reason)
        finally:
            # Spread, so that many rooms and gateways do not ask in step.
            self._look_at = _now() + _LOOK_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 (jitter)

    def tell_standing(self, now: float, sparing: Spared = ()) -> None:
        """Tells readers when what they were sent may be old at `now` (loop seconds), or which relays spare, changes."""
        standing = Standing(now - self._fresh_at > OLD_AFTER_SECONDS, sparing)
        if standing != self._standing and not self.is_over:
            self._standing = standing
            self._send(standing.frame(self._ring.revision))

    def close(self) -> None:
        """Ends its timers; its readers are the owner's."""
        if self._gap_timer is not None:
            self._gap_timer.cancel()
            self._gap_timer = None
        self._hands.close()
        self.captions.close()

    def _missed(self, after: int | None) -> list[Frame] | None:
        """What a reader lacks, or None when only a snapshot helps."""
        if after is None:
            return None
        # The answer to a reader's own RPC may overtake the bus: it lacks nothing then.
        ahead = after - self._ring.revision
        return [] if 0 < ahead <= _OVERTAKEN_BY else self._ring.after(after)

    async def _from_the_beginning(self, has: int, wanted: int) -> list[Frame]:
        """A snapshot of the moment, at `wanted` or later, and what came since."""
        for _ in range(2):
            assert self._snapshot is not None
            if self._snapshot.revision >= wanted:
                break
            # The first may have been on its way before the reader came; newcomers alone need it.
            await self._renew(for_all=False)
        assert self._shown is not None
        assert self._snapshot is not None
        # The directory itself, asked after the reader came, shows less than the reader has: the room was taken back.
        first = self._snapshot if has <= self._snapshot.revision else of_snapshot(self._shown, rewound=True)
        since = self._ring.after(self._snapshot.revision) or []
        return [first, *since, *self._pulse_frame()]

    async def _renew(self, *, for_all: bool) -> None:
        self._for_all |= for_all
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_future()
            self._background.spawn("room snapshot", self._refresh)
        await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        done = self._refreshing
        assert done is not None
        known, known_queue = max(self._ring.revision, self._claimed), self._hands.revision
        try:
            snapshot, queue = await self._fetch()
        except DomainError as error:
            self._refreshing, self._for_all = None, False
            done.set_exception(error)
            # Background refreshes have nobody waiting: the exception is retrieved here.
            done.exception()
            if error.kind == "not_found":
                self._finish()
            return
        except Exception as error:
            self._refreshing, self._for_all = None, False
            done.set_exception(error)
            done.exception()
            raise
        for_all, self._for_all, self._refreshing = self._for_all, False, None
        self._take_snapshot(snapshot, known, for_all=for_all)
        self._take_queue(snapshot, queue, known_queue)
        done.set_result(None)

    def _take_snapshot(self, snapshot: room_pb2.RoomSnapshot, known: int, *, for_all: bool) -> None:
        """Keeps a snapshot whose fetch began when `known` was the newest revision."""
        is_first = self._snapshot is None
        self._shown, self._snapshot, self._fresh_at = snapshot, of_snapshot(snapshot), _now()
        has_ended = snapshot.room.state == room_pb2.ROOM_STATE_ENDED
        is_ahead = snapshot.revision > self._ring.revision
        if snapshot.revision < known or is_first or (is_ahead and (for_all or has_ended)):
            self._begin_at(snapshot, rewound=snapshot.revision < known)
        elif is_ahead:
            # The bus is about to bring what it shows; if not, everybody gets a snapshot.
            self._watch_gap()
        if has_ended:
            self._finish()

    def _take_queue(self, snapshot: room_pb2.RoomSnapshot, queue: room_pb2.HandQueue, known: int) -> None:
        """Keeps a queue fetched with a snapshot; one of a room that is ahead of its readers waits for them."""
        if snapshot.revision > self._ring.revision:
            return
        if queue.queue_revision > self._hands.revision or queue.queue_revision < known:
            self._hands.begin(queue)

    def _begin_at(self, snapshot: room_pb2.RoomSnapshot, *, rewound: bool) -> None:
        """Begins the ring anew after a snapshot, and sends it to whoever lacks it."""
        assert self._snapshot is not None
        self._ring.start(snapshot.revision)
        self._older_pulses = self._claimed = 0
        back = of_snapshot(snapshot, rewound=True) if rewound else self._snapshot
        now = self.touched_at = _now()
        for subscriber in self.subscribers:
            subscriber.push(back if subscriber.has > snapshot.revision else self._snapshot, now)
        self._signals.begin(snapshot)
        self._hands.led_by({seat.person.user_id for seat in snapshot.stage if seat.role == room_pb2.ROLE_MODERATOR})
        self._catch_up()
        if self._ahead:
            self._watch_gap()

    def _take_pulse(self, pulse: room_events_pb2.RoomPulse) -> None:
        self._hands.hear(pulse)
        if pulse.revision > self._ring.revision:
            self._watch_gap()
        elif self._hands.is_behind:
            self._watch_gap(of_room=False)
        # A directory that restored an older state counts from there: believe it when it says so again and again.
        is_older = pulse.revision < self._ring.revision or pulse.queue_revision < self._hands.revision
        self._older_pulses = self._older_pulses + 1 if is_older else 0
        if self._older_pulses >= _BACKWARDS_PULSES:
            self._older_pulses = 0
            self._background.spawn("room snapshot", self._refresh_quietly)
        self._show_pulse(pulse)

    def _show_pulse(self, pulse: room_events_pb2.RoomPulse) -> None:
        if self._pace.lets(pulse, self._pulse, len(self.subscribers)):
            self._send(of_fact(pulse, self._ring.revision))
        if self._pulse is not None and pulse.listener_count and not pulse.audience_sample:
            pulse.audience_sample.extend(self._pulse.audience_sample)
        self._pulse = pulse

    def _pulse_frame(self) -> list[Frame]:
        """The last pulse with the last sample known, for a newcomer whose snapshot is older."""
        return [] if self._pulse is None else [of_fact(self._pulse, self._ring.revision)]

    def _accept(self, fact: Any) -> None:
        frame = of_fact(fact)
        self._ring.append(frame.revision, frame)
        self._send(frame)
        self._note_seats(fact)
        self._hands.catch_up()

    def _note_seats(self, fact: Any) -> None:
        self._signals.note(fact)
        if isinstance(fact, room_events_pb2.RoomEnded):
            self._finish()
        elif isinstance(fact, room_events_pb2.StageJoined | room_events_pb2.StageSeatChanged):
            self._hands.seated(fact.seat.person.user_id, moderates=fact.seat.role == room_pb2.ROLE_MODERATOR)
        elif isinstance(fact, room_events_pb2.StageLeft | room_events_pb2.PersonRemoved):
            self._hands.seated(fact.user_id, moderates=False)
            if isinstance(fact, room_events_pb2.PersonRemoved):
                self._end_seat(fact.user_id, None, "you were removed from the room")
        elif isinstance(fact, room_events_pb2.SeatTakenOver):
            self._end_seat(fact.user_id, fact.epoch, "another device holds the seat now")

    def _finish(self) -> None:
        """The room is over."""
        self.is_over = True
        for reader in (*self.subscribers, *self.captions.readers):
            reader.end()

    def _end_seat(self, user_id: str, below: int | None, message: str) -> None:
        for reader in (*self.subscribers, *self.captions.readers):
            if reader.user_id == user_id and (below is None or reader.epoch < below):
                reader.end(SeatEnded(message))

    def _send(self, frame: Frame) -> None:
        now = self.touched_at = _now()
        for subscriber in self.subscribers:
            subscriber.push(frame, now)

    def _keep_for_later(self, fact: Any) -> None:
        if isinstance(fact, room_events_pb2.RoomPulse | BoothSignalled):
            return
        if isinstance(fact, QUEUE_FACTS):
            self._hands.take(fact)
            return
        if len(self._ahead) < _MOST_AHEAD:
            self._ahead[fact.revision] = fact

    def _catch_up(self) -> None:
        """Takes what came early and now fits."""
        for revision in [each for each in self._ahead if each <= self._ring.revision]:
            del self._ahead[revision]
        while (fact := self._ahead.pop(self._ring.revision + 1, None)) is not None:
            self._accept(fact)

    def _watch_gap(self, *, of_room: bool = True) -> None:
        self._gap_of_room |= of_room
        if self._gap_timer is None:
            loop = asyncio.get_running_loop()
            self._gap_timer = loop.call_later(GAP_GRACE_SECONDS, self._close_gap, self._ring.revision)

    def _close_gap(self, seen: int) -> None:
        self._gap_timer = None
        expected = max(self._claimed, 0 if self._snapshot is None else self._snapshot.revision)
        of_room, self._gap_of_room = self._gap_of_room, False
        is_closed = self._ring.revision > seen and not self._ahead and self._ring.revision >= expected
        if (is_closed or not of_room) and not self._hands.is_behind:
            return
        self._background.spawn("room snapshot", self._refresh_quietly)

    async def _refresh_quietly(self) -> None:
        try:
            await self.refresh()
        except DomainError as error:
            _log.warning("no snapshot for a room with a gap", room_id=self.room_id, reason=error.reason)


def _now() -> float:
    return asyncio.get_running_loop().time()
