"""One reader of a room's events: a bounded queue between the feed and a connection."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import FellBehind
from services.gateway.watch.frames import Frame
from services.gateway.watch.reader import Reader

Sink = Callable[[Frame], bool]
"""Writes a frame at once and says True, or says False when it would have to wait."""

LEAD_SCOPE = "rooms"
"""The scope that a token needs for the hand queue, as for ListHands."""
LONGEST_WAIT_SECONDS = 8.0
"""How long an event may wait for a reader that takes nothing."""


class Subscriber(Reader):
    """Holds what its connection has not taken yet; a reader that is too slow is ended, the others never wait for it."""

    __slots__ = ("_handed_over", "_limit", "_oldest_at", "_queue", "has", "may_lead", "sink")

    def __init__(self, room_id: str, access: AccessToken, epoch: int, limit: int) -> None:
        super().__init__(room_id, access, epoch)
        self.may_lead = access.scopes is None or LEAD_SCOPE in access.scopes
        """Whether it may be sent what moderators see, if its person moderates."""
        self.has = 0
        """The newest revision the reader has, by what it said and what was sent: it is never taken back."""
        self.sink: Sink | None = None
        """The short way to the connection, past the queue, while nothing waits."""
        self._handed_over = False
        self._queue: deque[Frame] = deque()
        self._limit = limit
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
        self.wake()

    async def take(self) -> list[Frame]:
        """All that waits, at least one; empty once it has ended and everything was taken.

        Until the next call the taken frames count as on their way: nothing overtakes them.
        """
        self._handed_over = False
        while not self._queue:
            if self.ended:
                return []
            await self._woken()
        frames = list(self._queue)
        self._queue.clear()
        self._handed_over = True
        return frames

    def _brings_news(self, frame: Frame) -> bool:
        if frame.brings_to <= self.has and not frame.rewinds:
            return False
        self.has = frame.brings_to
        return True


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
