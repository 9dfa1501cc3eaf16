"""What is known of each relay's load, and what was promised of it since: who may go there, and who has room there."""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush

from services.programme.channels import ChannelKind, kind_of
from services.programme.work import NOTHING, PACKETS_ONLY, UNKNOWN, Limits, Tariff, Work
from services.room_directory.domain.clocks import is_forgiven
from services.room_directory.domain.ladder import Footing

STALE_SECONDS = 2.0
"""A load older than this says nothing."""
RESERVED_SECONDS = 10.0
"""Life of a reservation that nobody confirms."""
CONFIRMED_SECONDS = 2.0
"""How long a confirmed one still counts: until the relay's own report shows it."""

_MIXED = frozenset({ChannelKind.LANGUAGE, ChannelKind.THRIFT})
"""Channels that are mixed all the time."""
_ORDINAL = re.compile(r"\d+$")

SeatKey = tuple[str, str]
"""Room and person."""
OLDER = Tariff(PACKETS_ONLY)
"""Of a relay that does not say what things cost there."""

ChannelKey = tuple[str, str]
"""Room and name of a channel."""


@dataclass(slots=True)
class _Held:
    until: float
    work: Work
    channel: ChannelKey
    permit_id: str
    serial: int = 0
    """Of the session that the permit opened: once a report counts it, the promise is kept."""


@dataclass(slots=True)
class _Awaited:
    work: Work
    seats: int = 0


class Reservations:
    """Capacity promised with permits and not yet seen in the relay's own reports; every step costs the same."""

    def __init__(self) -> None:
        self._held: dict[SeatKey, _Held] = {}
        # Two queues, each in order of time: promises as given, and those that were shortened.
        self._ends: deque[tuple[float, SeatKey]] = deque()
        self._shortened: deque[tuple[float, SeatKey]] = deque()
        self._opened: list[tuple[int, SeatKey]] = []
        self._total = Work()
        self._channels: dict[ChannelKey, _Awaited] = {}

    def hold(self, seat: SeatKey, wanted: "Wanted", until: float, permit_id: str = "") -> None:
        """Promises work to a seat, and to its channel once; a later promise to the same seat replaces an older one."""
        self.release(seat)
        self._held[seat] = _Held(until, wanted.seat, wanted.channel, permit_id)
        self._ends.append((until, seat))
        self._total += wanted.seat
        self._channels.setdefault(wanted.channel, _Awaited(wanted.channel_work)).seats += 1

    def shorten(self, seat: SeatKey, until: float) -> None:
        """Lets a promise end earlier."""
        held = self._held.get(seat)
        if held is not None and until < held.until:
            held.until = until
            self._shortened.append((until, seat))

    def opened(self, seat: SeatKey, permit_id: str, serial: int) -> None:
        """The permit opened this session: the promise stands until a report counts it."""
        held = self._held.get(seat)
        if held is not None and held.permit_id == permit_id and not held.serial:
            held.serial = serial
            heappush(self._opened, (serial, seat))

    def counted(self, newest: int) -> None:
        """A report counts all sessions up to this one."""
        while self._opened and self._opened[0][0] <= newest:
            serial, seat = heappop(self._opened)
            held = self._held.get(seat)
            if held is not None and held.serial == serial:
                self.release(seat)

    def give_back(self, seat: SeatKey, permit_id: str) -> None:
        """The permit came to nothing, or to an end; a newer promise to the seat stands."""
        held = self._held.get(seat)
        if held is not None and held.permit_id == permit_id:
            self.release(seat)

    def total(self, now: float, carried: frozenset[ChannelKey], but: SeatKey | None = None) -> Work:
        """Work promised now, but to one seat; channels that the relay carries already are in its own report."""
        for ends in (self._ends, self._shortened):
            while ends and ends[0][0] <= now:
                _, seat = ends.popleft()
                held = self._held.get(seat)
                if held is not None and held.until <= now:
                    self.release(seat)
        begun = sum((self._channels[each].work for each in self._channels.keys() - carried), Work())
        own = self._held.get(but) if but is not None else None
        if own is None:
            return self._total + begun
        alone = own.channel not in carried and self._channels[own.channel].seats == 1
        return self._total + begun - own.work - (self._channels[own.channel].work if alone else Work())

    @property
    def awaits_any(self) -> bool:
        """Whether any channel was promised here."""
        return bool(self._channels)

    def awaits(self, channel: ChannelKey, but: SeatKey | None = None) -> bool:
        """Whether another seat that hears or feeds this channel was promised."""
        awaited = self._channels.get(channel)
        own = self._held.get(but) if but is not None else None
        return awaited is not None and awaited.seats > int(own is not None and own.channel == channel)

    def release(self, seat: SeatKey) -> None:
        """Takes a promise back, if there is one."""
        held = self._held.pop(seat, None)
        if held is not None:
            self._total -= held.work
            awaited = self._channels[held.channel]
            awaited.seats -= 1
            if not awaited.seats:
                del self._channels[held.channel]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one session needs of a relay."""

    seat: Work
    channel: ChannelKey
    channel_work: Work
    """Of the channel it hears or feeds: counted once, whoever else does."""


@dataclass(slots=True)
class RelayLoadState:
    """What is known of one relay's load, and what was promised of it since."""

    relay_id: str
    boot_id: str
    grpc_address: str
    work: Work = NOTHING
    """What counts against newcomers by its last report: promised, done or kept from them, whichever is more."""
    used: Work | None = None
    """What it has promised, or does should that be more; None where that is all there is."""
    limits: Limits = UNKNOWN
    """Zeros while nothing is known of them."""
    tariff: Tariff = OLDER
    carried: frozenset[ChannelKey] = frozenset()
    """Channels that somebody hears or feeds there."""
    heard: Mapping[ChannelKey, int] = field(default_factory=dict)
    """How many hear each channel there."""
    over_tcp: Mapping[str, int] = field(default_factory=dict)
    """How many of each room's listeners there hear it over TCP."""
    silent: Mapping[ChannelKey, datetime] = field(default_factory=dict)
    """Since when, by its clock, it hears nothing from a booth although somebody speaks on the floor."""
    region: str = ""
    """Where it stands; empty where nobody said."""
    draining: bool = False
    newest_session: int = 0
    """Serial of the newest session that the last report counts."""
    move_within_milliseconds: int = 0
    """While it drains: how long its people have to move elsewhere in peace."""
    footing: Footing = field(default_factory=Footing)
    """Where it stands on the ladder by which it sheds load."""
    seen_at: float = float("-inf")
    """Monotonic seconds of the last report."""
    clock_difference: float = 0.0
    """Our time less its, in seconds, as far as is known."""
    reserved: Reservations = field(default_factory=Reservations)

    @property
    def ordinal(self) -> int:
        """The number its name ends in: its place in a row of relays."""
        found = _ORDINAL.search(self.relay_id)
        return int(found.group()) if found else 0

    def is_fresh(self, now: float) -> bool:
        """Whether the last report is recent enough to go by."""
        return now - self.seen_at <= STALE_SECONDS

    def give_up(self, now: float) -> None:
        """It is lost: nobody is sent there until it reports again, however fresh its last report is."""
        self.seen_at = min(self.seen_at, now - STALE_SECONDS - 0.01)

    def accepts(self, now: float) -> bool:
        """Whether new sessions may go there at all."""
        return self.is_fresh(now) and not self.draining and is_forgiven(self.clock_difference)

    def committed(self, now: float, but: SeatKey | None = None) -> Work:
        """Work promised or done, but to one seat; a silent room is counted as if somebody spoke."""
        return self.work + self.reserved.total(now, self.carried, but)

    @property
    def taken(self) -> Work:
        """What is promised or done by its last report, whoever is kept out."""
        return self.work if self.used is None else self.used

    def fullness(self, now: float) -> float:
        """Share of the tightest limit that is committed."""
        return self.limits.fullness(self.committed(now))

    def listener(self, channel: ChannelKey, home_relay_id: str) -> "Wanted":
        """What one more who hears a channel wants; the first one there wants the channel too."""
        return Wanted(self.tariff.listener(), channel, self._channel_work(channel, home_relay_id == self.relay_id))

    def speaker(self, channel: ChannelKey, others: int) -> "Wanted":
        """What one more on a stage here wants, where so many others are."""
        return Wanted(self.tariff.seat(others), channel, self._channel_work(channel, home=True))

    def moved_stage(self, channel: ChannelKey, languages: int) -> "Wanted":
        """What a stage that comes here wants at first: somebody who speaks, and the channels of its languages."""
        wanted = self.speaker(channel, 0)
        return replace(wanted, seat=wanted.seat + self.tariff.channel(home=True, language=True) * languages)

    def new_room(self, room_id: str, channel: str) -> "Wanted":
        """What a new room wants here: whoever begins to speak, and somebody who listens."""
        return Wanted(self.tariff.seat(0) + self.tariff.listener(), (room_id, channel), self.tariff.channel(home=True))

    def _channel_work(self, channel: ChannelKey, home: bool) -> Work:
        return self.tariff.channel(home=home, language=kind_of(channel[1]) in _MIXED)

    def has_room(self, wanted: "Wanted", share: float, now: float, seat: SeatKey | None = None) -> bool:
        """Whether that much more stays within `share` of every limit; a seat's own promise is replaced."""
        committed = self.committed(now, seat) + wanted.seat
        if wanted.channel not in self.carried and not self.reserved.awaits(wanted.channel, but=seat):
            committed += wanted.channel_work
        return self.limits.allow(committed, share)

    def reserve(
        self,
        seat: SeatKey,
        wanted: "Wanted",
        now: float,
        permit_id: str = "",
        *,
        seconds: float = RESERVED_SECONDS,
    ) -> None:
        """Holds capacity for a permit, or for a seat that is offered."""
        self.reserved.hold(seat, wanted, now + seconds, permit_id)

    def confirm(self, room_id: str, user_id: str, now: float) -> None:
        """Lets a promise run out soon: its session is connected and shows in the reports of any relay."""
        self.reserved.shorten((room_id, user_id), now + CONFIRMED_SECONDS)

    def opened(self, seat: SeatKey, permit_id: str, serial: int) -> None:
        """A permit opened a session; from the report on that counts it, it is not counted here."""
        self.reserved.opened(seat, permit_id, serial)
        self.reserved.counted(self.newest_session)


def why_none(relays: Iterable[RelayLoadState], now: float) -> str:
    """Why none of them takes anybody, in words."""
    if any(relay.is_fresh(now) and not is_forgiven(relay.clock_difference) for relay in relays):
        return "the clocks of the relays and of this service are too far apart: an operator has to set them"
    return "no relay takes anybody just now"
