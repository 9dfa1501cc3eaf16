"""The captions of one room: what the bus tells of them, for whoever opened them here."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from majlis.room_directory.v1 import caption_pb2

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.tokens import AccessToken
from services.gateway.watch.caption_track import Batch, CaptionTrack, micros, wall
from services.gateway.watch.reader import Reader

_log = get_logger("captions")

GATHER_SECONDS = 0.1
"""Changes that come closer together go out as one."""
CROWD_GATHER_SECONDS = 0.25
"""The same for a crowd: captions are shown 300 ms after they came at the latest."""
_CROWD = 2500
_LANGUAGES = 24
_LEARN_TRIES = 6
_LEARN_PAUSE_SECONDS = 0.5

Sink = Callable[[Batch], bool]
"""Writes a batch at once and says True, or says False when it would have to wait."""
Sync = Callable[[str, list[caption_pb2.Caption]], Awaitable[tuple[Iterable[caption_pb2.Caption], int]]]
"""Of a language: gives the directory what is known here, and gets all there is, with the term of the room's owner."""


class CaptionMetrics:
    """What operators want to see of captions."""

    def __init__(self, metrics: Metrics) -> None:
        self.watchers = metrics.gauge("majlis_gateway_caption_watchers", "Streams of captions open now.")
        self.sent = metrics.counter("majlis_gateway_captions_sent_total", "Captions sent, one for each who watches.")
        self.delay = metrics.histogram(
            "majlis_gateway_caption_delay_seconds",
            "From a caption's arrival at the directory until it goes out to those who watch, by the clocks of both.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0),
        )


class CaptionReader(Reader):
    """Somebody who watches the captions of a language."""

    __slots__ = ("_after", "_began", "_has", "_metrics", "_watched", "language", "sink")

    def __init__(
        self, room_id: str, language: str, access: AccessToken, *, epoch: int, after: int, metrics: CaptionMetrics
    ) -> None:
        """`after`: it has what changed until then, in epoch microseconds; 0 for nothing."""
        super().__init__(room_id, access, epoch)
        self.language = language
        self._after = after
        self._metrics = metrics
        self._watched: Watched | None = None
        self._began = False
        self._has = 0
        self.sink: Sink | None = None
        """The short way to the connection, while it waits in `take` and lacks nothing that was shown before."""

    def begin(self, watched: "Watched") -> None:
        """What it reads is there."""
        self._watched = watched

    def show(self) -> None:
        """There is something new: it goes out at once where nothing is on its way."""
        watched = self._watched
        if watched is None or self.ended or self.sink is None or self._waiter is None or self._waiter.done():
            self.wake()
            return
        batch = watched.track.news(self._has, watched.shown)
        if not self.sink(batch):
            self.wake()
            return
        self._has = batch.until
        self._metrics.sent.inc(batch.count)

    async def take(self) -> Batch | None:
        """What it lacks, once there is any; None once it has ended. The first is the past, be it empty."""
        watched = self._watched
        assert watched is not None
        if not self._began and not self.ended:
            self._began = True
            batch = watched.track.first(self._after, wall())
        else:
            while watched.shown <= self._has and not self.ended:
                await self._woken()
            # The last words of a room that is over are still for everybody.
            until = watched.track.seen if self.ended and self.why is None else watched.shown
            if until <= self._has or self.why is not None:
                return None
            batch = watched.track.news(self._has, until)
        self._has = batch.until
        self._metrics.sent.inc(batch.count)
        return batch


class Watched:
    """One language, with those who watch it."""

    def __init__(self, metrics: CaptionMetrics) -> None:
        self.track = CaptionTrack()
        self.readers: set[CaptionReader] = set()
        self.shown = 0
        """Up to where readers are let see."""
        self.learning: asyncio.Future[None] | None = None
        self.is_learnt = False
        """Whether the directory was asked."""
        self._metrics = metrics
        self._flush_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Lets readers see what is new, soon."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._flush_at - loop.time()
        if not self.readers or wait <= 0:
            self._flush()
        else:
            self._timer = loop.call_later(wait, self._flush)

    def close(self) -> None:
        """Ends its timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._timer = None
        gather = CROWD_GATHER_SECONDS if len(self.readers) > _CROWD else GATHER_SECONDS
        self._flush_at = asyncio.get_running_loop().time() + gather
        before, self.shown = self.shown, self.track.seen
        if not self.readers:
            return
        for reader in self.readers:
            reader.show()
        now = wall()
        for caption in self.track.since(before):
            self._metrics.delay.observe(max(0.0, now - micros(caption.changed_at) / 1e6))


class CaptionFeed:
    """All captions of one room. What no one reads here is kept as well: an owner that begins anew learns from it."""

    def __init__(self, room_id: str, sync: Sync, background: Background, metrics: CaptionMetrics) -> None:
        self._room_id = room_id
        self._sync = sync
        self._background = background
        self._metrics = metrics
        self._languages: dict[str, Watched] = {}
        self._term = 0

    @property
    def readers(self) -> list[CaptionReader]:
        """All who watch a language of the room."""
        return [reader for watched in self._languages.values() for reader in watched.readers]

    async def take(self, told: Any) -> None:
        """One caption from the bus."""
        if told.term < self._term:
            return
        self._term = told.term
        watched = self._of(told.caption.language)
        if watched is not None and watched.track.merge(told.caption, wall()):
            watched.changed()

    async def join(self, reader: CaptionReader) -> None:
        """Adds a reader. Raises what asking the directory raises, when nobody did before."""
        watched = self._of(reader.language)
        assert watched is not None
        if not watched.is_learnt:
            await self._learn(reader.language, watched)
        reader.begin(watched)
        watched.readers.add(reader)
        self._metrics.watchers.inc()

    def leave(self, reader: CaptionReader) -> None:
        """Lets a reader go, if it is here."""
        watched = self._languages.get(reader.language)
        if watched is not None and reader in watched.readers:
            watched.readers.discard(reader)
            self._metrics.watchers.dec()

    def relearn(self) -> None:
        """The directory, or the owner of the room, is new, or the bus was away: both sides tell what they know."""
        if any(watched.track or watched.readers for watched in self._languages.values()):
            self._background.spawn("captions learnt", self._relearn)

    async def look(self) -> None:
        """Asks the directory for what the bus does not tell to those who watch. Raises DomainError."""
        for language, watched in list(self._languages.items()):
            if watched.readers:
                await self._learn(language, watched)

    def close(self) -> None:
        """Ends its timers."""
        for watched in self._languages.values():
            watched.close()

    def _of(self, language: str) -> Watched | None:
        watched = self._languages.get(language)
        if watched is None:
            if len(self._languages) >= _LANGUAGES:
                idle = [name for name, each in self._languages.items() if not each.readers and not each.learning]
                if not idle:
                    return None
                self._languages.pop(idle[0]).close()
            watched = self._languages[language] = Watched(self._metrics)
        return watched

    async def _relearn(self) -> None:
        for attempt in range(_LEARN_TRIES):
            try:
                for language, watched in list(self._languages.items()):
                    watched.track.expire(wall())
                    if watched.track or watched.readers:
                        await self._learn(language, watched)
            except DomainError as error:
                _log.info("captions are not learnt anew yet", room_id=self._room_id, reason=error.reason)
                await asyncio.sleep(_LEARN_PAUSE_SECONDS * 2**attempt)
            else:
                return

    async def _learn(self, language: str, watched: Watched) -> None:
        """Asks once for all who wait for it."""
        if watched.learning is not None:
            await asyncio.shield(watched.learning)
            return
        done = watched.learning = asyncio.get_running_loop().create_future()
        try:
            captions, term = await self._sync(language, watched.track.captions())
        except BaseException as error:
            done.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            # Others may not wait for it.
            done.exception()
            raise
        else:
            done.set_result(None)
        finally:
            watched.learning = None
        self._term = max(self._term, term)
        watched.is_learnt = True
        now = wall()
        before = watched.track.seen
        for caption in captions:
            watched.track.merge(caption, now)
        if watched.track.seen > before:
            watched.changed()
