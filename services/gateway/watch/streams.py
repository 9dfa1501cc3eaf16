"""Who watches what: opens, ends and accounts for event streams."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any, Protocol

from majlis.room_directory.v1 import caption_pb2, room_pb2

from services.common.errors import DomainError, Draining
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import RateLimited, SeatEnded, SignedOut, TooManyStreams
from services.gateway.domain.relays import SparingRelays
from services.gateway.reasons import is_over
from services.gateway.settings import Settings
from services.gateway.watch.captions import CaptionFeed, CaptionMetrics, CaptionReader
from services.gateway.watch.feed import Feed
from services.gateway.watch.just_here import JustHere
from services.gateway.watch.reader import Reader
from services.gateway.watch.seat_checks import SeatChecks
from services.gateway.watch.stream_reports import StreamReports
from services.gateway.watch.subscriber import Subscriber
from services.gateway.watch.who_speaks import WhoSpeaks

_log = get_logger("streams")

HEARTBEAT_SECONDS = 15.0
_TICK_SECONDS = 5.0
_COME_BACK_WITHIN_SECONDS = 5.0
_KEEP_EMPTY_FEED_SECONDS = 30.0
_ROUND_SECONDS = 0.5
"""How often every room is asked whether the bus fell silent for it."""
_LOOKS_AT_ONCE = 16
_LINGER_SECONDS = 10.0
"""How long somebody who asks from time to time counts as watching after each answer."""
_MISSES_BEFORE_CUT = 2
_CHECKS_A_ROUND = 60


class Rooms(Protocol):
    """What the directory tells of rooms."""

    async def snapshot(self, room_id: str) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        """What everyone sees of a room, and the hand queue, which is not for everyone."""
        ...

    async def sync_captions(
        self, room_id: str, language: str, known: list[caption_pb2.Caption]
    ) -> tuple[Iterable[caption_pb2.Caption], int]:
        """The captions of a language there are, with those that are known here; and the term of the room's owner."""
        ...


class RoomEvents(Protocol):
    """What happens in rooms, as it happens."""

    async def follow(self, room_id: str, take: Callable[[Any], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Calls `take` with each event of a room, in order, until the returned function is called."""
        ...

    async def follow_captions(
        self, room_id: str, take: Callable[[Any], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """The same for its captions."""
        ...


class Watching:
    """All event streams of this gateway: one feed for each room that is watched."""

    def __init__(
        self,
        *,
        settings: Settings,
        seats: SeatChecks,
        rooms: Rooms,
        events: RoomEvents,
        reports: StreamReports,
        revocations: RevocationList,
        sparing: SparingRelays,
        who_speaks: WhoSpeaks,
        metrics: Metrics,
        background: Background,
    ) -> None:
        self.is_draining = False
        self.open_streams = 0
        self._settings = settings
        self._seats = seats
        self._rooms = rooms
        self._events = events
        self._reports = reports
        self._revocations = revocations
        self._sparing = sparing
        self._who_speaks = who_speaks
        self._background = background
        self._feeds: dict[str, Feed] = {}
        self._unfollow: dict[str, Callable[[], Awaitable[None]]] = {}
        self._of_user: dict[str, set[Reader]] = {}
        self._places: Counter[str] = Counter()
        self._just_here = JustHere(time.monotonic)
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._looking: set[str] = set()
        self._pace = TokenBuckets(2 * settings.stream_opens_per_second, settings.stream_opens_per_second, max_keys=1)
        self._captions = CaptionMetrics(metrics)
        self._open = metrics.gauge("majlis_gateway_streams_open", "Event streams open now.")
        self._joins = metrics.counter("majlis_gateway_stream_opens_total", "Event streams opened.", ("result",))
        self._cuts = metrics.counter("majlis_gateway_stream_ends_total", "Event streams ended.", ("reason",))

    def start(self) -> None:
        """Starts heartbeats, the re-checking of seats, and the watch over rooms of which the bus tells nothing."""
        self._background.every("stream heartbeats", _TICK_SECONDS, self._tick)
        self._background.every("silent rooms", _ROUND_SECONDS, self._look_around)
        self._background.spawn("seat checks", self._check_for_ever, restart=True)

    async def watch(
        self, access: AccessToken, room_id: str, after: int | None, *, speakers: bool = False
    ) -> Subscriber:
        """Opens a stream for a signed-in person, who may ask to be told who speaks; give it back with `leave`.

        Raises TooManyStreams, what the directory says of the seat and the room, PartUnavailable, or Draining.
        """
        if self.is_draining:
            # Who was let go comes back on a connection that is still open, and would hold this process up.
            raise Draining("this gateway is stopping")
        with self._place(access.user_id):
            epoch = await self._seats.seat_epoch(room_id, access.user_id)
            subscriber = Subscriber(room_id, access, epoch, self._settings.stream_queue_events)
            feed = await self._feed(room_id)
            result = await feed.join(subscriber, after)
        self._opened(subscriber, access)
        if speakers:
            self._who_speaks.join(subscriber, lambda: feed.revision)
        self._joins.labels(result if after is not None else "fresh").inc()
        return subscriber

    async def watch_captions(self, access: AccessToken, room_id: str, language: str, after: int = 0) -> CaptionReader:
        """Opens a stream of the captions of a language; give it back with `leave`. Raises as `watch` does.

        `after` is in epoch microseconds: what changed until then the caller has.
        """
        if self.is_draining:
            raise Draining("this gateway is stopping")
        with self._place(access.user_id):
            epoch = await self._seats.seat_epoch(room_id, access.user_id)
            reader = CaptionReader(room_id, language, access, epoch=epoch, after=after, metrics=self._captions)
            feed = await self._feed(room_id)
            await feed.begin()
            await feed.captions.join(reader)
        if feed.is_over:
            reader.end()
        self._opened(reader, access)
        self._joins.labels("captions").inc()
        return reader

    @contextmanager
    def _place(self, user_id: str) -> Iterator[None]:
        """Gives the place back when no stream comes of it."""
        self._take_place(user_id)
        try:
            yield
        except BaseException:
            self._free_place(user_id)
            self._joins.labels("refused").inc()
            raise

    def _opened(self, reader: Reader, access: AccessToken) -> None:
        self._of_user.setdefault(access.user_id, set()).add(reader)
        if self._revocations.refuses(access.user_id, access.sign_in_id, access.issued_at):
            reader.end(SignedOut("the sign-in has ended"))
        if self.is_draining:
            reader.end()
        self._reports.opened(reader.room_id, access.user_id, reader.epoch)

    def leave(self, subscriber: Reader) -> None:
        """Takes a stream back that is over, whoever ended it."""
        subscriber.end()
        mine = self._of_user.get(subscriber.user_id, set())
        if subscriber not in mine:
            return
        mine.discard(subscriber)
        self._just_here.note(subscriber.room_id, subscriber.user_id)
        if not mine:
            self._of_user.pop(subscriber.user_id, None)
        if isinstance(subscriber, Subscriber):
            self._who_speaks.leave(subscriber)
        feed = self._feeds.get(subscriber.room_id)
        if feed is not None:
            if isinstance(subscriber, CaptionReader):
                feed.captions.leave(subscriber)
            elif isinstance(subscriber, Subscriber):
                feed.subscribers.discard(subscriber)
            feed.touched_at = asyncio.get_running_loop().time() if not feed.is_watched else feed.touched_at
        self._free_place(subscriber.user_id)
        self._cuts.labels(subscriber.why.reason if subscriber.why is not None else "CLOSED").inc()
        told = partial(self._reports.closed, subscriber.room_id, subscriber.user_id, subscriber.epoch)
        if subscriber.lingers:
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, told)
        else:
            told()

    def is_or_was_watching(self, room_id: str, user_id: str) -> bool:
        """Whether a person has a stream of a room here, or had one just now."""
        if any(subscriber.room_id == room_id for subscriber in self._of_user.get(user_id, ())):
            return True
        return self._just_here.was(room_id, user_id)

    def revoke(self, user_id: str, sign_in_id: str, at: datetime) -> None:
        """A sign-in ended, or all of a person's when `sign_in_id` is empty: refuses its tokens, cuts its streams."""
        if sign_in_id:
            self._revocations.revoke_sign_in(sign_in_id)
        else:
            self._revocations.revoke_user(user_id, at)
        for subscriber in self._of_user.get(user_id, ()):
            ended = subscriber.sign_in_id == sign_in_id if sign_in_id else subscriber.issued_at <= at.timestamp()
            if ended:
                subscriber.end(SignedOut("the sign-in has ended"))

    async def catch_up(self) -> None:
        """The bus is back: what was missed comes as one snapshot for each room."""
        self.relearn_captions()
        for feed in list(self._feeds.values()):
            try:
                await feed.refresh()
            except DomainError as error:
                _log.warning("no snapshot after the bus came back", room_id=feed.room_id, reason=error.reason)

    def relearn_captions(self) -> None:
        """The directory may have forgotten, or the bus not told, what was said: both sides tell what they know."""
        for feed in list(self._feeds.values()):
            feed.captions.relearn()

    async def drain(self) -> None:
        """Ends all streams, spread over the time the settings give."""
        self.is_draining = True
        streams = [subscriber for mine in self._of_user.values() for subscriber in mine]
        pause = self._settings.drain_seconds / max(1, len(streams))
        slept = 0.0
        for done, subscriber in enumerate(streams, start=1):
            subscriber.end()
            # Sleeps shorter than the loop's own grain would add up to far more than they say.
            if done * pause - slept >= 0.01:
                await asyncio.sleep(done * pause - slept)
                slept = done * pause

    def _take_place(self, user_id: str) -> None:
        """Counts a stream before the first wait, so that a crowd cannot slip past the limits."""
        wait = self._pace.take("", asyncio.get_running_loop().time())
        if wait > 0:
            self._joins.labels("refused").inc()
            # A crowd comes back spread out, or it would meet itself again.
            spread = random.uniform(1.0, _COME_BACK_WITHIN_SECONDS)  # noqa: S311 (jitter)
            raise RateLimited("many people come back just now", retry_after_seconds=wait + spread)
        own = self._places[user_id] >= self._settings.max_streams_per_user
        if own or self.open_streams >= self._settings.max_streams:
            # One person who has too many is no sign of a hall that has too few.
            self._joins.labels("too_many_of_one" if own else "refused").inc()
            raise TooManyStreams("too many event streams are open", retry_after_seconds=10.0)
        self.open_streams += 1
        self._places[user_id] += 1
        self._open.set(self.open_streams)

    def _free_place(self, user_id: str) -> None:
        self.open_streams -= 1
        self._places[user_id] -= 1
        if not self._places[user_id]:
            del self._places[user_id]
        self._open.set(self.open_streams)

    async def _feed(self, room_id: str) -> Feed:
        feed = self._feeds.get(room_id)
        if feed is None or feed.is_over:
            feed = self._feeds[room_id] = Feed(
                room_id,
                lambda: self._rooms.snapshot(room_id),
                self._settings.ring_events,
                self._background,
                CaptionFeed(room_id, partial(self._rooms.sync_captions, room_id), self._background, self._captions),
                owner_is_new=lambda: self._owner_is_new(room_id),
            )
            feed.touched_at = asyncio.get_running_loop().time()
            old = self._unfollow.pop(room_id, None)
            if old is not None:
                await old()
            # Followed before the snapshot is fetched: nothing falls between the two.
            facts = await self._events.follow(room_id, feed.take)
            captions = await self._events.follow_captions(room_id, feed.captions.take)

            async def unfollow() -> None:
                await facts()
                await captions()

            self._unfollow[room_id] = unfollow
        return feed

    def _owner_is_new(self, room_id: str) -> None:
        self._reports.resend(room_id)
        feed = self._feeds.get(room_id)
        if feed is not None:
            feed.captions.relearn()

    async def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        for room_id, feed in list(self._feeds.items()):
            if feed.is_watched:
                feed.heartbeat(now, HEARTBEAT_SECONDS - _TICK_SECONDS)
            elif now - feed.touched_at > _KEEP_EMPTY_FEED_SECONDS or feed.is_over:
                feed.close()
                self._feeds.pop(room_id, None)
                unfollow = self._unfollow.pop(room_id, None)
                if unfollow is not None:
                    await unfollow()

    async def _look_around(self) -> None:
        now = asyncio.get_running_loop().time()
        for feed in list(self._feeds.values()):
            feed.tell_standing(now, self._sparing.of(feed.room_id))
            if feed.wants_a_look(now) and feed.room_id not in self._looking:
                self._looking.add(feed.room_id)
                self._background.spawn("look at a silent room", partial(self._look, feed))

    async def _look(self, feed: Feed) -> None:
        try:
            async with self._looks:
                await feed.look()
                with suppress(DomainError):
                    await feed.captions.look()
        finally:
            self._looking.discard(feed.room_id)

    async def _check_for_ever(self) -> None:
        """Confirms every seat once a round: leaving a room makes no event that would end the stream."""
        while True:
            streams = [subscriber for mine in self._of_user.values() for subscriber in mine]
            step = ceil(len(streams) / _CHECKS_A_ROUND) or 1
            pause = self._settings.recheck_seconds / (ceil(len(streams) / step) + 1)
            for first in range(0, len(streams), step):
                await asyncio.sleep(pause)
                together = [self._check(each) for each in streams[first : first + step] if not each.ended]
                await asyncio.gather(*together)
            await asyncio.sleep(pause)

    async def _check(self, subscriber: Reader) -> None:
        try:
            await self._seats.seat_epoch(subscriber.room_id, subscriber.user_id)
            subscriber.misses = 0
        except DomainError as error:
            # A directory that just restarted may not know a seat yet: only a second miss counts.
            if is_over(error.reason):
                subscriber.misses += 1
            if subscriber.misses >= _MISSES_BEFORE_CUT:
                subscriber.end(SeatEnded("the seat has ended"))
