"""How much work the relay has promised, and whether it may promise more: a newcomer costs nobody inside their sound."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.permits import Choice, Kind, Permit
from services.programme.channels import FLOOR, ChannelKind, kind_of, thrifty
from services.programme.work import KEPT_BACK, NOTHING, WAITING_STEP, Limits, Part, Tariff, Work

PacketMs = Literal[20, 40, 60]
"""Milliseconds of sound that a listener's packet may hold."""
MAX_SENDER_THREADS = 16
MAX_PROGRAMME_THREADS = 16
MAX_ENCODER_EFFORT = 10
"""As many as the packet core takes."""
LEAST_JOINS = 2.0
"""People a second who may come in however busy the relay is: a full one refuses by its budget."""
JOIN_SHARE = 0.9
"""Of a core, for people who come in."""
FULL_SECONDS = 5.0
"""When who found the relay full may try again: somebody has to leave first."""


@dataclass(slots=True)
class _Room:
    home: bool
    heard: Counter[Choice] = field(default_factory=Counter)
    """Listeners by what they chose: the same choice hears the same channel."""
    spoken: Counter[str] = field(default_factory=Counter)
    """People on stage by the channel they speak in."""
    over_tcp: int = 0
    """Of the listeners, those over TCP."""
    work: Work = NOTHING
    """What is promised for it."""

    def change(self, permit: Permit, number: int, choice: Choice) -> None:
        """Counts a session in or out; `choice` is what one of the audience chose."""
        if permit.kind is Kind.STAGE:
            self.spoken[permit.booth or FLOOR] += number
            self.spoken = +self.spoken
        else:
            self.heard[choice] += number
            self.heard = +self.heard


def _channel_of(_: str, choice: Choice) -> str:
    """What a choice comes to where nothing is known of its room."""
    return thrifty(choice.channel) if choice.thrift else choice.channel


class Capacity:
    """What sessions here were promised, whether or not anyone speaks, beside what the relay may promise."""

    def __init__(self, limits: Limits, tariff: Tariff) -> None:
        self.heard: Callable[[str, Choice], str] = _channel_of
        """The name of the channel that a choice comes to in a room; a change is followed by `move`."""
        self.limits = limits
        self.tariff = tariff
        self.promised = Work()
        self.measured = 0
        """What the packet core did lately, at the least effort, in packets a second: counts where it is more.

        Beside an operator's budget, what it sent.
        """
        self.strained = False
        """Whether packets are late or lost here, whatever was promised: others may have taken the cores."""
        self.ladder_step = 0
        """Where the relay stands on the ladder, by the contract's numbers."""
        self._rooms: dict[str, _Room] = {}
        self._exported: dict[str, frozenset[str]] = {}

    @property
    def held(self) -> int:
        """While strained, or while newcomers wait, all that these may have, in packets a second; else nothing."""
        closed = (self.strained and self.limits.whole) or self.ladder_step >= WAITING_STEP
        return math.ceil(self.limits.usual * (1.0 - KEPT_BACK)) if closed else 0

    @property
    def done(self) -> int:
        """What counts as done, in packets a second: what is held counts so that newcomers are refused."""
        return max(self.measured, self.held)

    @property
    def taken(self) -> Work:
        """What is promised, or is done should that be more; nothing that is only held."""
        promised = self.promised
        return Work(max(promised.usual, self.measured), promised.sending, promised.programme)

    @property
    def committed(self) -> Work:
        """What newcomers find taken: that, or what is held should it be more."""
        taken = self.taken
        return Work(max(taken.usual, self.held), taken.sending, taken.programme)

    def joins_a_second(self) -> float:
        """How many people may come in each second without taking what those inside need; without limits, any number.

        One core at most: what it takes to let somebody in is not done by several at once.
        """
        if not self.limits.whole:
            return math.inf
        spare = min(self.limits.whole - self.committed.usual, JOIN_SHARE * self.tariff.core())
        return max(LEAST_JOINS, spare / max(1, self.tariff.join()))

    def measure(self, limits: Limits, tariff: Tariff) -> None:
        """The machine has been measured: what was promised so far is counted anew."""
        self.limits, self.tariff = limits, tariff
        for room_id, room in self._rooms.items():
            self._settle(room_id, room)

    def check(self, permit: Permit, *, home: bool, preferred: bool) -> None:
        """Raises RelayFull unless a permit's session fits; `preferred` ones may use what is kept back."""
        more = self._more(permit, home)
        if not self.limits.allow(self.committed + more, 1.0 if preferred else 1.0 - KEPT_BACK):
            raise RelayFull(
                "this relay carries as much as it can: a place is free when somebody leaves",
                retry_after_seconds=FULL_SECONDS,
            )

    def check_trials(self, most: int) -> None:
        """Raises RelayFull unless so many who only try whether they hear leave newcomers a place."""
        more = self.tariff.room(Part(home=False, listeners=most, over_tcp=most, channels=1))
        if not self.limits.allow(self.committed + more, 1.0 - KEPT_BACK):
            raise RelayFull(
                "this relay has room only for people who come to listen: try again later",
                retry_after_seconds=FULL_SECONDS,
            )

    def promise(self, permit: Permit, *, home: bool) -> None:
        """Counts a session in."""
        room = self._rooms.setdefault(permit.room_id, _Room(home))
        room.home = home
        room.change(permit, 1, permit.choice)
        self._settle(permit.room_id, room)

    def hear(self, permit: Permit, before: Choice, after: Choice) -> None:
        """A session that is counted chose to hear something else."""
        room = self._rooms[permit.room_id]
        room.change(permit, 1, after)
        room.change(permit, -1, before)
        self._settle(permit.room_id, room)

    def carry_over_tcp(self, permit: Permit, number: int) -> None:
        """Counts a session that is counted already as one over TCP, or (-1) no longer as one."""
        room = self._rooms[permit.room_id]
        if permit.kind is Kind.AUDIENCE:
            room.over_tcp += number
            self._settle(permit.room_id, room)

    def release(self, permit: Permit, choice: Choice) -> None:
        """Counts a session out; `choice` is what it chose last."""
        room = self._rooms[permit.room_id]
        room.change(permit, -1, choice)
        if room.heard or room.spoken:
            self._settle(permit.room_id, room)
        else:
            del self._rooms[permit.room_id]
            self.promised -= room.work

    def move(self, room_id: str, *, home: bool) -> None:
        """The stage of a room has come here or has left, or other booths are open, other languages spoken."""
        room = self._rooms.get(room_id)
        if room is not None:
            room.home = home
            self._settle(room_id, room)

    def export(self, room_id: str, names: frozenset[str]) -> None:
        """Those channels of a room go out to others: where its stage is they are mixed, whoever hears them."""
        if names == self._exported.get(room_id, frozenset()):
            return
        self._exported[room_id] = names
        if not names:
            del self._exported[room_id]
        room = self._rooms.get(room_id)
        if room is not None:
            self._settle(room_id, room)

    def _settle(self, room_id: str, room: _Room) -> None:
        before, room.work = room.work, self.tariff.room(self._part(room_id, room))
        self.promised += room.work - before

    def _part(self, room_id: str, room: _Room) -> Part:
        names = {self.heard(room_id, choice) for choice in room.heard} | room.spoken.keys()
        if room.home:
            names |= self._exported.get(room_id, frozenset())
        kinds = Counter(map(kind_of, names))
        return Part(
            home=room.home,
            listeners=room.heard.total(),
            over_tcp=room.over_tcp,
            stage=room.spoken.total(),
            on_thrift=sum(number for choice, number in room.heard.items() if choice.thrift),
            channels=kinds[ChannelKind.FLOOR] + kinds[ChannelKind.WITHOUT],
            languages=kinds[ChannelKind.LANGUAGE],
            thrifty=kinds[ChannelKind.THRIFT],
        )

    def _more(self, permit: Permit, home: bool) -> Work:
        known = self._rooms.get(permit.room_id)
        after = _Room(home, Counter(known.heard), Counter(known.spoken), known.over_tcp) if known else _Room(home)
        after.change(permit, 1, permit.choice)
        more = self.tariff.room(self._part(permit.room_id, after))
        return more - known.work if known else more
