"""What is not for everybody: hand queue and ways of hearing for who moderates, hand and place for whose it is."""

import asyncio
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from majlis.room_directory.v1 import room_events_pb2, room_pb2

from services.gateway.watch.frames import Frame, of_fact, of_own_hand, of_queue, of_rungs
from services.gateway.watch.subscriber import Readers, Subscriber

PLACES_SECONDS = 1.0
"""How often people are told a new place at most: who goes moves everybody behind them."""
_GATHER_SECONDS = 0.05
_MOST_AHEAD = 1000

QueueFact = room_events_pb2.HandRaised | room_events_pb2.HandLowered | room_events_pb2.HandsAttended


class HandFeed:
    """Keeps the queue by its own revisions, and tells each change to those it is for.

    A fact counts once the room has reached the revision at which it happened: who moderates is known as of then, so
    that nothing of the queue goes to somebody who no longer does.
    """

    def __init__(self, readers: Readers, reached: Callable[[], int]) -> None:
        """`reached` gives the room's revision that its readers have."""
        self.revision = -1
        """The queue's; below any while nothing is known of it."""
        self._readers = readers
        self._reached = reached
        self._hands: dict[str, room_pb2.Hand] = {}
        self._moderators: set[str] = set()
        self._ahead: dict[int, QueueFact] = {}
        self._expected = -1
        self._told: dict[str, int] = {}
        """The place that each person was told last."""
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = float("-inf")
        self._whole: Frame | None = None
        self._down: Frame | None = None
        self._rungs: room_pb2.ListenerRungs | None = None
        """By which way people hear, as was told last."""
        self._rewound = False
        """Whether the queue went back, until everybody was told: what shows an older state counts then."""

    @property
    def is_behind(self) -> bool:
        """Whether facts are missing."""
        return bool(self._ahead) or self.revision < self._expected

    def expect(self, revision: int) -> None:
        """The queue is said to have come this far."""
        self._expected = max(self._expected, revision)

    def begin(self, queue: room_pb2.HandQueue) -> None:
        """Takes the queue as the directory has it, and tells it to all whom it concerns."""
        self._rewound = queue.queue_revision < self.revision
        before, self._hands = self._hands, {hand.person.user_id: hand for hand in queue.hands}
        self.revision, self._expected, self._whole = queue.queue_revision, -1, None
        self._down = None
        self._tell_whole(self._moderators)
        for user_id in before:
            if user_id not in self._hands:
                self._tell_down(user_id, room_pb2.HAND_CAUSE_UNSPECIFIED)
        self._told.clear()
        self._plan()
        self.catch_up()

    def led_by(self, moderators: set[str]) -> None:
        """Who moderates, all told; who begins to gets the queue."""
        new, self._moderators = moderators - self._moderators, moderators
        self._tell_whole(new)
        to = self._leading(new)
        for frame in self._of_rungs():
            self._push(to, frame)

    def seated(self, user_id: str, *, moderates: bool) -> None:
        """What somebody is from now on; who begins to moderate gets the queue."""
        if moderates != (user_id in self._moderators):
            self.led_by(self._moderators ^ {user_id})

    def take(self, fact: QueueFact) -> None:
        """One fact from the bus; it waits for those before it."""
        if fact.queue_revision > self.revision and len(self._ahead) < _MOST_AHEAD:
            self._ahead[fact.queue_revision] = fact
        self.expect(fact.queue_revision)
        self.catch_up()

    def hear(self, pulse: room_events_pb2.RoomPulse) -> None:
        """Takes from a pulse by which way people hear, and tells moderators when that changed."""
        self.expect(pulse.queue_revision)
        if not pulse.HasField("rungs"):
            return
        rungs = room_pb2.ListenerRungs()
        rungs.CopyFrom(pulse.rungs)
        pulse.ClearField("rungs")
        if rungs != self._rungs:
            self._rungs = rungs
            to = self._leading(self._moderators)
            if to:
                self._push(to, of_rungs(self._reached(), rungs))

    def catch_up(self) -> None:
        """Takes what came early and now fits."""
        for revision in [each for each in self._ahead if each <= self.revision]:
            del self._ahead[revision]
        while (fact := self._ahead.get(self.revision + 1)) is not None and fact.revision <= self._reached():
            del self._ahead[fact.queue_revision]
            self._accept(fact)

    def first(self, subscriber: Subscriber) -> list[Frame]:
        """What a stream begins with: the queue for a moderator, and for everybody their own hand."""
        own = self._own(subscriber.user_id)
        leads = subscriber.may_lead and subscriber.user_id in self._moderators
        return [self._queue(), *self._of_rungs(), own] if leads else [own]

    def close(self) -> None:
        """Ends its timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _accept(self, fact: QueueFact) -> None:
        self.revision, self._whole, self._down = fact.queue_revision, None, None
        match fact:
            case room_events_pb2.HandRaised():
                self._put(fact.hand, fact.position)
                self._tell_moderators(fact)
                self._told.pop(fact.hand.person.user_id, None)
            case room_events_pb2.HandLowered():
                gone = [fact.user_id] if fact.user_id else list(self._hands)
                for user_id in gone:
                    self._hands.pop(user_id, None)
                self._tell_moderators(fact)
                for user_id in gone:
                    self._tell_down(user_id, fact.cause)
            case room_events_pb2.HandsAttended():
                self._set_times(fact)
                self._tell_whole(self._moderators)
                self._told.clear()
        self._plan()

    def _put(self, hand: room_pb2.Hand, position: int) -> None:
        user_id = hand.person.user_id
        if user_id in self._hands or position > len(self._hands):
            self._hands[user_id] = hand
            return
        queue = list(self._hands.items())
        queue.insert(position - 1, (user_id, hand))
        self._hands = dict(queue)

    def _set_times(self, fact: room_events_pb2.HandsAttended) -> None:
        """Lets each hand's time run from that moment, or keeps what was left of it then."""
        since = fact.since.ToDatetime(tzinfo=UTC)
        for hand in self._hands.values():
            if fact.attended and hand.HasField("time_left"):
                hand.expires_at.FromDatetime(since + hand.time_left.ToTimedelta())
                hand.ClearField("time_left")
            elif not fact.attended and hand.HasField("expires_at"):
                hand.time_left.FromTimedelta(max(timedelta(), hand.expires_at.ToDatetime(tzinfo=UTC) - since))
                hand.ClearField("expires_at")

    def _tell_moderators(self, fact: Any) -> None:
        to = self._leading(self._moderators)
        if to:
            self._push(to, of_fact(fact, self._reached()))

    def _tell_whole(self, moderators: set[str]) -> None:
        to = self._leading(moderators)
        if to:
            self._push(to, self._queue())

    def _of_rungs(self) -> list[Frame]:
        return [of_rungs(self._reached(), self._rungs)] if self._rungs is not None else []

    def _leading(self, moderators: set[str]) -> list[Subscriber]:
        return [reader for user_id in moderators for reader in self._readers.of(user_id) if reader.may_lead]

    def _tell_down(self, user_id: str, cause: "room_pb2.HandCause.ValueType") -> None:
        self._told.pop(user_id, None)
        to = self._readers.of(user_id)
        if to:
            self._push(to, self._own(user_id, cause))

    def _plan(self) -> None:
        """Tells people their places in a moment, those of changes that come together at once."""
        if self._timer is None and self._hands:
            loop = asyncio.get_running_loop()
            at = max(loop.time() + _GATHER_SECONDS, self._told_at + PLACES_SECONDS)
            self._timer = loop.call_at(at, self._tell_places)

    def _tell_places(self) -> None:
        self._timer, self._told_at = None, asyncio.get_running_loop().time()
        for place, user_id in enumerate(self._hands, start=1):
            if self._told.get(user_id) == place:
                continue
            self._told[user_id] = place
            to = self._readers.of(user_id)
            if to:
                self._push(to, self._own_at(user_id, place))
        self._rewound = False

    def _own(self, user_id: str, cause: "room_pb2.HandCause.ValueType" = room_pb2.HAND_CAUSE_UNSPECIFIED) -> Frame:
        if user_id in self._hands:
            return self._own_at(user_id, list(self._hands).index(user_id) + 1)
        if cause or self._down is None or self._down.revision != self._reached():
            own = room_pb2.OwnHand(cause=cause, queue_revision=max(0, self.revision))
            frame = of_own_hand(self._reached(), own, rewound=self._rewound)
            self._down = self._down if cause else frame
            return frame
        return self._down

    def _own_at(self, user_id: str, place: int) -> Frame:
        own = room_pb2.OwnHand(hand=self._hands[user_id], position=place, queue_revision=self.revision)
        return of_own_hand(self._reached(), own, rewound=self._rewound)

    def _queue(self) -> Frame:
        if self._whole is None or self._whole.revision != self._reached():
            queue = room_pb2.HandQueue(hands=self._hands.values(), queue_revision=self.revision)
            self._whole = of_queue(self._reached(), queue, rewound=self._rewound)
        return self._whole

    @staticmethod
    def _push(readers: list[Subscriber], frame: Frame) -> None:
        now = asyncio.get_running_loop().time()
        for reader in readers:
            reader.push(frame, now)
