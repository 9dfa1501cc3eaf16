"""The steps by which a relay in trouble sheds load before anybody inside loses sound, and when it takes them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Literal

from services.media_relay.domain.capacity import PacketMs
from services.programme.work import PAUSING_STEP, WAITING_STEP

UP_SECONDS = 10.0
"""So long trouble lasts before each step up."""
DOWN_SECONDS = 60.0
"""So long calm lasts before each step down."""

LadderSetting = Literal[
    "auto", "none", "red_off", "packets_40", "packets_60", "bits_24000", "bits_16000", "waiting", "doors_paused"
]


class Step(IntEnum):
    """Each does what those below it do, too; numbers are those of the contract, which leaves one out."""

    NONE = 0
    RED_OFF = 1
    """Listeners whose networks lose packets get no redundancy."""
    PACKETS_40 = 2
    PACKETS_60 = 3
    BITS_24000 = 4
    BITS_16000 = 5
    WAITING = WAITING_STEP
    """Newcomers find no seat: they wait before rooms and before the doors."""
    DOORS_PAUSED = PAUSING_STEP
    """The doors keep seats on other relays free for people here: where there are too few, nobody new comes in."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What listeners' packets are like."""

    packet_ms: PacketMs
    bits_per_second: int
    redundancy: bool = True
    """Whether who loses packets gets earlier ones again with each (RFC 2198)."""

    def at(self, taken: Collection[Step]) -> "Shape":
        """The same once some steps are taken: never shorter packets nor more bits."""
        packet_ms: PacketMs = 60 if Step.PACKETS_60 in taken else 40 if Step.PACKETS_40 in taken else 20
        bits = 16_000 if Step.BITS_16000 in taken else 24_000 if Step.BITS_24000 in taken else self.bits_per_second
        return Shape(
            max(self.packet_ms, packet_ms),
            min(self.bits_per_second, bits),
            self.redundancy and Step.RED_OFF not in taken,
        )

    def steps(self) -> tuple[Step, ...]:
        """Those that change something."""
        chosen = [Step.NONE]
        for step in (Step.RED_OFF, Step.PACKETS_40, Step.PACKETS_60, Step.BITS_24000, Step.BITS_16000):
            if self.at([*chosen, step]) != self.at(chosen):
                chosen.append(step)
        return (*chosen, Step.WAITING, Step.DOORS_PAUSED)


class Ladder:
    """Where a relay stands; times are monotonic seconds."""

    def __init__(self, steps: Sequence[Step], setting: LadderSetting = "auto") -> None:
        """Climbs `steps` by itself, or stays at the one that was set."""
        self._steps = steps
        self._set = Step[setting.upper()] if setting != "auto" else None
        self._pin = self._set
        self._taken = self._up_to(self._set) if self._set is not None else [Step.NONE]
        self._pressed_since: float | None = None
        self._calm_since: float | None = None

    @property
    def step(self) -> Step:
        """Where it stands."""
        return self._taken[-1]

    @property
    def is_set(self) -> bool:
        """Whether it stays at a step that was set."""
        return self._set is not None

    @property
    def taken(self) -> tuple[Step, ...]:
        """All steps that hold, the lowest first."""
        return tuple(self._taken)

    @property
    def taken_below(self) -> tuple[Step, ...]:
        """Those that would hold one step down."""
        return tuple(self._taken[:-1] or self._taken)

    def order(self, step: Step | None) -> bool:
        """Stays at a step, or follows its setting and what is measured again; returns whether the step changed."""
        before = self.step
        pin = self._set if step is None else step
        if pin is not self._pin:
            self._pin = pin
            if pin is not None and pin is not before:
                self._taken = self._up_to(pin)
        return self.step is not before

    def note(self, now: float, *, pressed: bool, calm: bool, skip: Collection[Step] = ()) -> bool:
        """Takes a reading; returns whether the step changed.

        `calm`: there would be no trouble one step down either. `skip`: steps that would cost now instead of sparing.
        """
        self._pressed_since = None if not pressed else now if self._pressed_since is None else self._pressed_since
        calm = calm and not pressed
        self._calm_since = None if not calm else now if self._calm_since is None else self._calm_since
        if self._pin is not None:
            return False
        before = self.step
        above = [each for each in self._steps if each > before and each not in skip]
        if above and self._pressed_since is not None and now - self._pressed_since >= UP_SECONDS:
            self._taken.append(above[0])
            self._pressed_since = now
        elif before and self._calm_since is not None and now - self._calm_since >= DOWN_SECONDS:
            self._taken.pop()
            self._calm_since = now
        return self.step is not before

    def _up_to(self, step: Step) -> list[Step]:
        """16 kbit/s is for who asks for it, unless mixing goes on anyway."""
        below = [each for each in self._steps if each < step and each is not Step.BITS_16000]
        return [*below, step]


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order: a relay, or every relay that has none of its own, stays at a step until a time."""

    relay_id: str
    step: int
    until: datetime


class LadderOrders:
    """The newest orders that were heard; each ends by itself."""

    def __init__(self, relay_id: str) -> None:
        self._relay_id = relay_id
        self._changed_at: datetime | None = None
        self._orders: dict[str, Order] = {}

    def hear(self, changed_at: datetime, orders: Collection[Order]) -> None:
        """Takes in all orders that stand; what is older than what was heard already changes nothing."""
        if self._changed_at is None or changed_at >= self._changed_at:
            self._changed_at = changed_at
            self._orders = {each.relay_id: each for each in orders if each.relay_id in ("", self._relay_id)}

    def standing(self, now: datetime) -> Step | None:
        """The step ordered for this relay; of one that no relay has, the next below it."""
        for whose in (self._relay_id, ""):
            order = self._orders.get(whose)
            if order is not None and now < order.until:
                return max(step for step in Step if step <= order.step)
        return None
