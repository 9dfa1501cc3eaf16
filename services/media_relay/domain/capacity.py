"""How much work the relay has promised, and whether it may promise more: a newcomer costs nobody inside their sound."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.permits import Kind, Permit
from services.programme.channels import FLOOR, ChannelKind, kind_of
from services.programme.work import KEPT_BACK, WAITING_STEP, Limits, Part, Tariff, Work

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
    heard: Counter[str] = field(default_factory=Counter)
    """Listeners by the channel they hear."""
    spoken: Counter[str] = field(default_factory=Counter)
    """People on stage by the channel they speak in."""

    def change(self, permit: Permit, number: int, channel: str) -> None:
        """Counts a session in or out; `channel` is what one of the audience hears."""
        counts, channel = (self.spoken, permit.booth or FLOOR) if permit.kind is Kind.STAGE else (self.heard, channel)
        counts[channel] += number
        if not counts[channel]:
            del counts[channel]

    def part(self) -> Part:
        names = self.heard.keys() | self.spoken.keys()
        languages = sum(kind_of(name) is ChannelKind.LANGUAGE for name in names)
        return Part(
            home=self.home,
            listeners=self.heard.total(),
            stage=self.spoken.total(),
            channels=len(names) - languages,
            languages=languages,
        )


class Capacity:
    """What sessions here were promised, whether or not anyone speaks, beside what the relay may promise."""

    def __init__(self, limits: Limits, tariff: Tariff) -> None:
        self.limits = limits
        self.tariff = tariff
        self.promised = Work()
        self.measured = 0
        """What the packet core did lately, at the least effort, in packets a second: counts where it is more."""
        self.strained = False
        """Whether packets are late or lost here, whatever was promised: others may have taken the cores."""
        self.ladder_step = 0
        """Where the relay stands on the ladder, by the contract's numbers."""
        self._rooms: dict[str, _Room] = {}

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
        self.promised = sum((tariff.room(room.part()) for room in self._rooms.values()), Work())

    def check(self, permit: Permit, *, home: bool, preferred: bool) -> None:
        """Raises RelayFull unless a permit's session fits; `preferred` ones may use what is kept back."""
        more = self._more(permit, home)
        if not self.limits.allow(self.committed + more, 1.0 if preferred else 1.0 - KEPT_BACK):
            raise RelayFull(
                "this relay carries as much as it can: a place is free when somebody leaves",
                retry_after_seconds=FULL_SECONDS,
            )

    def promise(self, permit: Permit, *, home: bool) -> None:
        """Counts a session in."""
        self.move(permit.room_id, home=home)
        self._change(self._rooms.setdefault(permit.room_id, _Room(home)), permit, 1, permit.channel)

    def hear(self, permit: Permit, before: str, after: str) -> None:
        """A session that is counted hears another channel."""
        room = self._rooms[permit.room_id]
        self._change(room, permit, 1, after)
        self._change(room, permit, -1, before)

    def release(self, permit: Permit, channel: str) -> None:
        """Counts a session out; `channel` is what it heard last."""
        room = self._rooms[permit.room_id]
        self._change(room, permit, -1, channel)
        if not room.heard and not room.spoken:
            del self._rooms[permit.room_id]

    def move(self, room_id: str, *, home: bool) -> None:
        """The stage of a room has come here, or has left."""
        room = self._rooms.get(room_id)
        if room is not None and room.home != home:
            before = self.tariff.room(room.part())
            room.home = home
            self.promised += self.tariff.room(room.part()) - before

    def _change(self, room: _Room, permit: Permit, number: int, channel: str) -> None:
        before = self.tariff.room(room.part())
        room.change(permit, number, channel)
        self.promised += self.tariff.room(room.part()) - before

    def _more(self, permit: Permit, home: bool) -> Work:
        known = self._rooms.get(permit.room_id)
        after = _Room(home, Counter(known.heard), Counter(known.spoken)) if known else _Room(home)
        after.change(permit, 1, permit.channel)
        more = self.tariff.room(after.part())
        return more - self.tariff.room(known.part()) if known else more
