"""A channel of a room as it is heard over HTTPS: one subscription, one muxer a container, one write a piece."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from services.common.sight.metrics import Metrics
from services.common.trust.tokens import AccessToken
from services.gateway.domain.listening import Ending, Languages, is_fixed
from services.gateway.domain.wish import Wish
from services.gateway.watch.reader import Reader
from services.programme.channels import Channel
from services.programme.containers import new_serial
from services.programme.listener import Heard
from services.programme.pieces import LiveLine, Piece, Pieces, Placed

_REST_SECONDS = 0.1
"""How often it is looked at whether silence is due."""
_WINDOW, _THRIFT_WINDOW = 5, 2
"""Pieces that may wait for a listener's network: two seconds."""
_LEAST_WAITING, _THRIFT_LEAST = 8 * 1024, 4 * 1024
"""Bytes that may wait all the same: the head, and what the network has under way."""
_WRITES_A_TURN = 50
"""Listeners served before others have the loop."""


class Outlet(Protocol):
    """Where a listener's pieces go."""

    def __call__(self, data: bytes, chunk: bytes, most_waiting: int) -> bool:
        """Writes a piece, which `chunk` is in HTTP's chunked coding; False when more than that waits already."""
        ...


ANYBODY: Final = AccessToken("", "", False, frozenset({"listen"}), 0, 0)
"""Stands for the access token of people who show none."""


class Hearer(Reader):
    """Somebody who listens over HTTPS."""

    __slots__ = ("channel", "ending", "heard_until", "network", "outlet", "wish")

    def __init__(
        self, room_id: str, access: AccessToken, epoch: int, *, ending: Ending, wish: Wish, network: str
    ) -> None:
        super().__init__(room_id, access, epoch)
        self.ending = ending
        self.wish = wish
        self.network = network
        self.channel = ""
        """The name of the channel that is heard now."""
        self.heard_until = 0
        """Where on the room's line the last piece ended: what begins before is not sent."""
        self.outlet: Outlet | None = None

    @property
    def is_anybody(self) -> bool:
        """Whether nobody knows who it is: they hear what is open to the web, and have no seat."""
        return not self.user_id

    async def over(self) -> None:
        """Returns when it ended."""
        while not self.ended:
            await self._woken()


class LiveMetrics:
    """What is counted of all of them."""

    def __init__(self, metrics: Metrics) -> None:
        self.open = metrics.gauge(
            "majlis_gateway_listen_open", "People who listen over HTTPS now.", ("container", "channel_kind")
        )
        self.bytes = metrics.counter(
            "majlis_gateway_listen_bytes_total", "Sound sent over HTTPS, without TLS and HTTP.", ("container",)
        )
        self.skips = metrics.counter(
            "majlis_gateway_listen_skips_total",
            "Pieces of 0.4 s (in few bits of 1.2 s) that a listener over HTTPS missed, being too slow.",
            ("container",),
        )


class Cast:
    """One container of a channel, and who hears it."""

    def __init__(self, ending: Ending, serial: int, metrics: LiveMetrics, *, thrift: bool = False) -> None:
        self.hearers: dict[Hearer, None] = {}
        self.pieces = Pieces(ending, serial, thrift=thrift)
        self._newest: Piece | None = None
        self._window: deque[int] = deque(maxlen=_THRIFT_WINDOW if thrift else _WINDOW)
        self._least = _THRIFT_LEAST if thrift else _LEAST_WAITING
        self._bytes = metrics.bytes.labels(ending)
        self._skips = metrics.skips.labels(ending)

    def join(self, hearer: Hearer) -> bytes:
        """Adds a newcomer; returns what it gets first: the head, and the newest piece."""
        self.hearers[hearer] = None
        newest = self._newest
        if newest is None or newest.begins < hearer.heard_until:
            return self.pieces.head
        hearer.heard_until = newest.ends
        return self.pieces.head + newest.data

    async def send(self, piece: Piece) -> None:
        """Sends a piece to everybody who has taken what was sent before, shortly or long ago."""
        self._newest = piece
        self._window.append(len(piece.data))
        most, data = max(self._least, sum(self._window)), piece.data
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        sent = skipped = 0
        for count, hearer in enumerate(list(self.hearers), start=1):
            if piece.begins >= hearer.heard_until and hearer.outlet is not None and hearer in self.hearers:
                if hearer.outlet(data, chunk, most):
                    hearer.heard_until = piece.ends
                    sent += 1
                else:
                    skipped += 1
            if count % _WRITES_A_TURN == 0:
                await asyncio.sleep(0)
        self._bytes.inc(sent * len(data))
        self._skips.inc(skipped)


class Source(Protocol):
    """Frames of a channel, in order."""

    async def __anext__(self) -> Heard: ...


OpenSource = Callable[[Channel], AbstractAsyncContextManager[Source]]


class LiveChannel:
    """One channel; `run` feeds its casts until it is cancelled."""

    def __init__(
        self, channel: Channel, serial: int, source: OpenSource, now: Callable[[], int], metrics: LiveMetrics
    ) -> None:
        """`now` is in samples at 48 kHz, the same for all channels of the room."""
        self.channel = channel
        self.casts: dict[Ending, Cast] = {}
        self._serial = serial
        self._source = source
        self._now = now
        self._metrics = metrics
        self._line = LiveLine(now(), thrift=channel.is_thrifty)

    @property
    def is_heard(self) -> bool:
        return any(cast.hearers for cast in self.casts.values())

    def cast(self, ending: Ending) -> Cast:
        """The channel in a container."""
        found = self.casts.get(ending)
        if found is None:
            found = self.casts[ending] = Cast(ending, self._serial, self._metrics, thrift=self.channel.is_thrifty)
        return found

    async def run(self) -> None:
        """Wants the channel, and sends what comes of it."""
        async with self._source(self.channel) as source:
            while True:
                try:
                    async with asyncio.timeout(_REST_SECONDS):
                        heard = await source.__anext__()
                except TimeoutError:
                    placed = self._line.rest(self._now())
                else:
                    placed = self._line.add(heard.at, heard.frame.opus, self._now())
                for each in placed:
                    await self._send(each)

    async def _send(self, placed: Placed) -> None:
        for cast in list(self.casts.values()):
            try:
                piece = cast.pieces.add(placed)
            except ValueError:
                # What is no Opus packet is no sound: a relay would not send it, and nobody else may.
                continue
            if piece is not None:
                await cast.send(piece)


class LiveRoom:
    """What is heard of a room here."""

    def __init__(self, now: float) -> None:
        self.channels: dict[str, LiveChannel] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.hearers: set[Hearer] = set()
        self.serial = new_serial()
        self.languages: Languages | None = None
        self.begun_at = now
        """Loop time; the lines of all its channels begin here."""

    @property
    def follows_languages(self) -> bool:
        """Whether somebody hears what the languages of the room come to, so that they are looked at in each round."""
        return any(not is_fixed(hearer.wish) for hearer in self.hearers)
