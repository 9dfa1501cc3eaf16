"""One reader of a room's events: a bounded queue between the feed and a connection."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from services.common.errors import DomainError
from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import FellBehind
from services.gateway.watch.frames import Frame

Sink = Callable[[Frame], bool]
"""Writes a frame at once and says True, or says False when it would have to wait."""

LEAD_SCOPE = "rooms"
"""The scope that a token needs for the hand queue, as for ListHands."""
LONGEST_WAIT_SECONDS = 8.0
"""How long an event may wait for a reader that takes nothing."""


class Subscriber:
    """Holds what its connection has not taken yet; a reader that is too slow is ended, the others never wait for it."""

    __slots__ = (
        "_handed_over",
        "_limit",
        "_oldest_at",
        "_queue",
        "_waiter",
        "ended",
        "epoch",
        "has",
        "issued_at",
        "lingers",
        "may_lead",
        "misses",
        "on_end",
        "room_id",
        "sign_in_id",
        "sink",
        "user_id",
        "why",
    )

    def __init__(self, room_id: str, access: AccessToken, epoch: int, limit: int) -> None:
        self.room_id = room_id
        self.user_id = access.user_id
        self.sign_in_id = access.sign_in_id
        self.issued_at = access.issued_at
        """When its access token was issued: what ended before, as the news may come twice, does not end this stream."""
        self.may_lead = access.scopes is None or LEAD_SCOPE in access.scopes
        """Whether it may be sent what moderators see, if its person moderates."""
        self.epoch = epoch
        """Of the seat when the stream was opened."""
        self.has = 0
        """The newest revision the reader has, by what it said and what was sent: it is never taken back."""
        self.lingers = False
        """Whether its reader is about to come again: it asks from time to time, and holds no connection meanwhile."""
        self.misses = 0
        """Times in a row that the seat could not be confirmed."""
        self.ended = False
        self.why: DomainError | None = None
        """The reason it ended; None when the room is over, the client left or the gateway stops."""
        self.on_end: Callable[[], None] | None = None
        """Called once when it ends."""
        self.sink: Sink | None = None
        """The short way to the connection, past the queue, while nothing waits."""
        self._handed_over = False
        self._queue: deque[Frame] = deque()
        self._limit = limit
        self._waiter: asyncio.Future[None] | None = None
        self._oldest_at = 0.0

    def prefill(self, frames: Iterable[Frame], now: float) -> None:
        """What the reader needs before the first live event; this may exceed the queue's limit."""
        self._queue.extend(frame for frame in frames if not frame.brings_to or self._brings_news(frame))
        self._oldest_at = now
        self._limit += len(self._queue)

    def push(self, frame: Frame, now: float) -> None:
        """Adds a live event at `now` (loop seconds), or ends a reader that is too far behind."""
        if self.ended or (frame.brings_to and not self._brings_news(frame)):
            return
        if not self._queue:
            if self.sink is not None and not self._handed_over and self.sink(frame):
                return
            self._oldest_at = now
        elif len(self._queue) >= self._limit or now - self._oldest_at > LONGEST_WAIT_SECONDS:
            self._queue.clear()
            self.end(FellBehind("events came faster than they were read"))
            return
        self._queue.append(frame)
        self._wake()

    def end(self, why: DomainError | None = None) -> None:
        """Lets the reader take what is queued and then stop. The first reason stays."""
        if not self.ended:
            self.ended = True
            self.why = why
            self._wake()
            if self.on_end is not None:
                self.on_end()

    async def take(self) -> list[Frame]:
        """All that waits, at least one; empty once it has ended and everything was taken.

        Until the next call the taken frames count as on their way: nothing overtakes them.
        """
        self._handed_over = False
        while not self._queue:
            if self.ended:
                return []
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frames = list(self._queue)
        self._queue.clear()
        self._handed_over = True
        return frames

    def _brings_news(self, frame: Frame) -> bool:
        if frame.brings_to <= self.has and not frame.rewinds:
            return False
        self.has = frame.brings_to
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Readers:
    """The readers of one room, all of them and each person's."""

    def __init__(self) -> None:
        self._all: set[Subscriber] = set()
        self._of: dict[str, list[Subscriber]] = {}

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def of(self, user_id: str) -> list[Subscriber]:
        """A person's streams."""
        return self._of.get(user_id, [])

    def add(self, subscriber: Subscriber) -> None:
        """Takes a reader in."""
        self._all.add(subscriber)
        self._of.setdefault(subscriber.user_id, []).append(subscriber)

    def discard(self, subscriber: Subscriber) -> None:
        """Lets a reader go, if it is here."""
        if subscriber not in self._all:
            return
        self._all.discard(subscriber)
        own = self._of[subscriber.user_id]
        own.remove(subscriber)
        if not own:
            del self._of[subscriber.user_id]
