"""Who listens over HTTPS: lets people in, moves them as the languages of their rooms change, and lets them go."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from majlis.room_directory.v1 import room_pb2

from services.common.errors import DomainError, Draining
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import AccessToken
from services.gateway.domain.errors import SeatEnded, SignedOut, TooManyStreams, WebClosed
from services.gateway.domain.held_seat import HeldSeat
from services.gateway.domain.listening import ENDINGS, Ending, Languages, is_fixed
from services.gateway.domain.wish import Wish
from services.gateway.media.live import ANYBODY, Hearer, LiveChannel, LiveMetrics, LiveRoom, OpenSource
from services.gateway.media.places import Places
from services.gateway.media.web import OpenRooms
from services.gateway.reasons import is_over, refuse
from services.gateway.settings import Settings
from services.gateway.watch.stream_reports import StreamReports
from services.programme.channels import FLOOR, Channel, ChannelKind, plain, without
from services.programme.listener import SAMPLE_RATE

ROUND_SECONDS = 1.8
"""How often seats and sign-ins are looked at, and the languages of rooms: all end within five seconds of their seat."""
LINGER_SECONDS = 3.0
"""How long a channel is followed that nobody hears any more."""
_MISSES_BEFORE_CUT = 2
_BATCH = 500
_ROOMS_AT_ONCE = 16


class Directory(Protocol):
    """What the directory tells of seats and rooms."""

    async def held_seats(self, room_id: str, user_ids: Sequence[str]) -> list[HeldSeat | DomainError]:
        """For each person their seat, or why they hold none. Raises what keeps everybody out."""
        ...

    async def snapshot(self, room_id: str) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        """What everyone sees of a room, and the hand queue, which is not for everyone."""
        ...

    async def join(self, room_id: str, token: str, network: str, wish: Wish, *, without_permit: bool) -> str:
        """Seats the bearer of an access token."""
        ...


class Seats(Protocol):
    async def seat_epoch(self, room_id: str, user_id: str) -> int:
        """The epoch of the person's seat. Raises what the directory says when they hold none."""
        ...


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who may listen."""

    access: AccessToken | None
    """None for somebody who shows nothing, and hears what is open to the web."""
    token: str | None = field(repr=False)
    """An access token of theirs, to take a seat with; None for the bearer of a ticket, who has one."""
    network: str


class Listening:
    """Everybody who listens here."""

    def __init__(
        self,
        *,
        settings: Settings,
        seats: Seats,
        directory: Directory,
        reports: StreamReports,
        revocations: RevocationList,
        source: OpenSource,
        places: Places,
        open_rooms: OpenRooms,
        metrics: Metrics,
        background: Background,
    ) -> None:
        self.is_draining = False
        self.open_rooms = open_rooms
        self.voices: Callable[[str, str], int | None] = lambda _room_id, _user_id: None
        """The member number of somebody who speaks over HTTPS on the floor of a room."""
        self._settings = settings
        self._seats = seats
        self._directory = directory
        self._reports = reports
        self._revocations = revocations
        self._source = source
        self._background = background
        self._rooms: dict[str, LiveRoom] = {}
        self._hearers: set[Hearer] = set()
        self._places = places
        self._metrics = LiveMetrics(metrics)
        self._opens = metrics.counter(
            "majlis_gateway_listen_opens_total", "Streams of sound over HTTPS asked for.", ("result",)
        )
        self._ends = metrics.counter(
            "majlis_gateway_listen_ends_total", "Streams of sound over HTTPS that ended.", ("reason",)
        )
        for ending in ENDINGS:
            for kind in ChannelKind:
                self._metrics.open.labels(ending, kind)

    def start(self) -> None:
        """Starts to look after seats and languages."""
        self._background.every("listeners over HTTPS", ROUND_SECONDS, self._round)

    async def open(self, guest: Guest, room_id: str, ending: Ending, wish: Wish) -> Hearer:
        """Lets somebody in, seating the bearer of a token first if they have no seat; give it back with `leave`.

        Raises TooManyStreams, what the directory says of room and seat, BOOTH_UNKNOWN, SignedOut or Draining; for
        somebody who shows nothing WebClosed or WebFull.
        """
        if self.is_draining:
            raise Draining("this gateway is stopping")
        if guest.access is None:
            return await self._open_to_anybody(guest.network, room_id, ending, wish)
        access, network = guest.access, guest.network
        if self._places.is_full_for(access.user_id):
            await self._make_way(room_id, access.user_id)
        with self._counted(), self._places.member(access.user_id, network, thrift=wish.thrift):
            epoch = await self._seat(guest, room_id, wish)
            languages = await self._languages(room_id, wish)
            if not languages.has(wish):
                raise refuse("BOOTH_UNKNOWN", "the room has no booth of that language")
            if self._revocations.refuses(access.user_id, access.sign_in_id, access.issued_at):
                raise SignedOut("the sign-in has ended")
            hearer = Hearer(room_id, access, epoch, ending=ending, wish=wish, network=network)
            hearer.channel = self._heard(hearer, languages)
        self._room(room_id).hearers.add(hearer)
        self._hearers.add(hearer)
        self._count(hearer, 1)
        self._opens.labels("opened").inc()
        self._reports.opened(room_id, hearer.user_id, epoch, sound=True)
        return hearer

    async def _open_to_anybody(self, network: str, room_id: str, ending: Ending, wish: Wish) -> Hearer:
        try:
            languages = (await self.open_rooms.admit(room_id, network, thrift=wish.thrift)).languages
        except DomainError:
            self._opens.labels("refused").inc()
            raise
        if not languages.has(wish):
            self.open_rooms.leave(room_id, network, thrift=wish.thrift)
            self._opens.labels("refused").inc()
            raise refuse("BOOTH_UNKNOWN", "the room has no booth of that language")
        hearer = Hearer(room_id, ANYBODY, 0, ending=ending, wish=wish, network=network)
        hearer.channel = languages.heard(wish)
        self._room(room_id).hearers.add(hearer)
        self._hearers.add(hearer)
        self._count(hearer, 1)
        self._opens.labels("opened").inc()
        return hearer

    def follow_voice(self, room_id: str, user_id: str) -> None:
        """Somebody began or ended speaking over HTTPS: they hear the others without themselves meanwhile."""
        room = self._rooms.get(room_id)
        if room is None:
            return
        for hearer in [each for each in room.hearers if each.user_id == user_id]:
            name = self._heard(hearer, room.languages or Languages())
            if name != hearer.channel:
                self._move(room, hearer, name)

    def _heard(self, hearer: Hearer, languages: Languages) -> str:
        name, member = languages.heard(hearer.wish), self.voices(hearer.room_id, hearer.user_id)
        return name if member is None or plain(name) != FLOOR else without(member)

    def begin(self, hearer: Hearer) -> bytes:
        """What a listener gets first; from here on pieces go to its outlet."""
        return self._channel(hearer).cast(hearer.ending).join(hearer)

    def leave(self, hearer: Hearer) -> None:
        """Takes a stream back that is over, whoever ended it."""
        hearer.end()
        if hearer not in self._hearers:
            return
        self._hearers.discard(hearer)
        room = self._rooms[hearer.room_id]
        room.hearers.discard(hearer)
        self._part(room, hearer)
        if not room.hearers:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._forget, hearer.room_id)
        self._count(hearer, -1)
        self._ends.labels(hearer.why.reason if hearer.why is not None else "CLOSED").inc()
        if hearer.is_anybody:
            self.open_rooms.leave(hearer.room_id, hearer.network, thrift=hearer.wish.thrift)
            return
        self._places.free_member(hearer.user_id, hearer.network, thrift=hearer.wish.thrift)
        self._reports.closed(hearer.room_id, hearer.user_id, hearer.epoch, sound=True)

    def heard(self) -> dict[str, Counter[str]]:
        """For each room how many people with seats hear each channel."""
        heard: dict[str, Counter[str]] = {}
        for hearer in self._hearers:
            if not hearer.is_anybody:
                heard.setdefault(hearer.room_id, Counter())[hearer.channel] += 1
        return heard

    def web(self) -> Mapping[str, int]:
        """For each room how many hear it without a seat."""
        return self.open_rooms.counts

    async def drain(self) -> None:
        """Ends all streams, spread over the time the settings give."""
        self.is_draining = True
        hearers = list(self._hearers)
        slices = max(1, round(self._settings.drain_seconds / 0.1))
        for first in range(slices):
            for hearer in hearers[first::slices]:
                hearer.end()
            if hearers:
                await asyncio.sleep(self._settings.drain_seconds / slices)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._opens.labels("too_many" if isinstance(error, TooManyStreams) else "refused").inc()
            raise

    async def _seat(self, guest: Guest, room_id: str, wish: Wish) -> int:
        assert guest.access is not None
        try:
            return await self._seats.seat_epoch(room_id, guest.access.user_id)
        except DomainError as error:
            if error.reason != "NOT_IN_ROOM" or guest.token is None:
                raise
        await self._directory.join(room_id, guest.token, guest.network, wish, without_permit=True)
        return await self._seats.seat_epoch(room_id, guest.access.user_id)

    async def _make_way(self, room_id: str, user_id: str) -> None:
        """Ends those streams of a person now whose seat a later page has: it needs their places."""
        older = [each for each in self._hearers if (each.room_id, each.user_id) == (room_id, user_id)]
        if not older:
            return
        [seat] = await self._directory.held_seats(room_id, [user_id])
        for hearer in older:
            if isinstance(seat, HeldSeat) and hearer.epoch < seat.device_epoch:
                _judge(hearer, seat)
                self.leave(hearer)

    async def _languages(self, room_id: str, wish: Wish) -> Languages:
        if is_fixed(wish):
            return Languages()
        room = self._rooms.get(room_id)
        if room is not None and room.languages is not None and room.follows_languages:
            return room.languages
        languages = await self._ask_languages(room_id)
        self._room(room_id).languages = languages
        return languages

    async def _ask_languages(self, room_id: str) -> Languages:
        snapshot, _ = await self._directory.snapshot(room_id)
        booths = frozenset(booth.language for booth in snapshot.booths)
        return Languages(booths, frozenset(seat.speaks for seat in snapshot.stage if not seat.language))

    def _room(self, room_id: str) -> LiveRoom:
        room = self._rooms.get(room_id)
        if room is None:
            loop = asyncio.get_running_loop()
            room = self._rooms[room_id] = LiveRoom(loop.time())
            # Also where somebody is refused after all.
            loop.call_later(LINGER_SECONDS, self._forget, room_id)
        return room

    def _forget(self, room_id: str) -> None:
        room = self._rooms.get(room_id)
        if room is not None and not room.hearers and not room.channels:
            del self._rooms[room_id]

    def _channel(self, hearer: Hearer) -> LiveChannel:
        room = self._room(hearer.room_id)
        live = room.channels.get(hearer.channel)
        if live is None:
            loop = asyncio.get_running_loop()

            def now() -> int:
                return int((loop.time() - room.begun_at) * SAMPLE_RATE)

            channel = Channel(hearer.room_id, hearer.channel)
            live = room.channels[hearer.channel] = LiveChannel(channel, room.serial, self._source, now, self._metrics)
            room.tasks[hearer.channel] = self._background.spawn(f"sound of {channel}", live.run, restart=True)
        return live

    def _part(self, room: LiveRoom, hearer: Hearer) -> None:
        live = room.channels.get(hearer.channel)
        if live is None:
            return
        live.cast(hearer.ending).hearers.pop(hearer, None)
        if not live.is_heard:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close, hearer.room_id, live)

    def _close(self, room_id: str, live: LiveChannel) -> None:
        room = self._rooms.get(room_id)
        if room is None or live.is_heard or room.channels.get(live.channel.name) is not live:
            return
        del room.channels[live.channel.name]
        room.tasks.pop(live.channel.name).cancel()
        self._forget(room_id)

    def _count(self, hearer: Hearer, step: int) -> None:
        kind = Channel(hearer.room_id, hearer.channel).kind
        self._metrics.open.labels(hearer.ending, kind).inc(step)

    async def _round(self) -> None:
        for hearer in self._hearers:
            if not hearer.is_anybody and self._revocations.refuses(hearer.user_id, hearer.sign_in_id, hearer.issued_at):
                hearer.end(SignedOut("the sign-in has ended"))
        turns = asyncio.Semaphore(_ROOMS_AT_ONCE)

        async def look(room_id: str, room: LiveRoom) -> None:
            async with turns:
                await self._check_seats(room_id, room)
                await self._check_open(room_id, room)
                if room.follows_languages:
                    await self._follow_languages(room_id, room)

        await asyncio.gather(*(look(*each) for each in list(self._rooms.items()) if each[1].hearers))

    async def _check_seats(self, room_id: str, room: LiveRoom) -> None:
        hearers = [each for each in room.hearers if not (each.ended or each.is_anybody)]
        for first in range(0, len(hearers), _BATCH):
            batch = hearers[first : first + _BATCH]
            try:
                found: Sequence[HeldSeat | DomainError] = await self._directory.held_seats(
                    room_id, [each.user_id for each in batch]
                )
            except DomainError as error:
                found = [error] * len(batch)
            for hearer, seat in zip(batch, found, strict=True):
                _judge(hearer, seat)
            if any(hearer.misses for hearer in batch):
                # A directory that forgot, or a new owner of the room, learns of those whose seats are not given up.
                self._reports.resend(room_id)

    async def _check_open(self, room_id: str, room: LiveRoom) -> None:
        """Ends the streams of those who showed nothing, once the room is not open to the web any more."""
        if not self.open_rooms.counts.get(room_id):
            return
        with suppress(DomainError):
            if not await self.open_rooms.stays_open(room_id):
                for hearer in [each for each in room.hearers if each.is_anybody]:
                    hearer.end(WebClosed("the room is not open to the web any more"))

    async def _follow_languages(self, room_id: str, room: LiveRoom) -> None:
        with suppress(DomainError):
            languages = await self._ask_languages(room_id)
            if languages == room.languages:
                return
            room.languages = languages
            for hearer in list(room.hearers):
                name = self._heard(hearer, languages)
                if name != hearer.channel:
                    self._move(room, hearer, name)

    def _move(self, room: LiveRoom, hearer: Hearer, name: str) -> None:
        """Lets a listener hear another channel: the next piece is of that one, on the same line."""
        self._part(room, hearer)
        self._count(hearer, -1)
        hearer.channel = name
        self._count(hearer, 1)
        if hearer.outlet is not None:
            self._channel(hearer).cast(hearer.ending).hearers[hearer] = None


def _judge(hearer: Hearer, seat: HeldSeat | DomainError) -> None:
    if isinstance(seat, HeldSeat):
        hearer.misses = 0
        if hearer.epoch < seat.device_epoch:
            hearer.end(SeatEnded("another device holds the seat now"))
    elif is_over(seat.reason):
        # A directory that just restarted may not know a seat yet: only a second miss counts.
        hearer.misses += 1
        if hearer.misses >= _MISSES_BEFORE_CUT:
            hearer.end(SeatEnded("the seat has ended"))
