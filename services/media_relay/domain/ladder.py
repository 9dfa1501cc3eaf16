"""The steps by which a relay in trouble sheds load before anybody inside loses sound, and when it takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from services.media_relay.domain.capacity import PacketMs
from services.programme.work import WAITING_STEP

UP_SECONDS = 10.0
"""So long trouble lasts before each step up."""
DOWN_SECONDS = 60.0
"""So long calm lasts before each step down."""

LadderSetting = Literal["auto", "none", "packets_40", "packets_60", "bits_24000", "bits_16000", "waiting"]


class Step(IntEnum):
    """Each does what those below it do, too; numbers are those of the contract, which names steps that no relay has."""

    NONE = 0
    PACKETS_40 = 2
    PACKETS_60 = 3
    BITS_24000 = 4
    BITS_16000 = 5
    WAITING = WAITING_STEP
    """Newcomers find no seat: they wait before rooms and before the doors."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What listeners' packets are like."""

    packet_ms: PacketMs
    bits_per_second: int

    def at(self, step: Step) -> "Shape":
        """The same at a step of the ladder: never shorter packets nor more bits."""
        packet_ms: PacketMs = 60 if step >= Step.PACKETS_60 else 40 if step >= Step.PACKETS_40 else 20
        bits = 16_000 if step is Step.BITS_16000 else 24_000 if step >= Step.BITS_24000 else self.bits_per_second
        return Shape(max(self.packet_ms, packet_ms), min(self.bits_per_second, bits))

    def steps(self) -> tuple[Step, ...]:
        """Those that a relay takes by itself, each of which changes something.

        16 kbit/s is for who asks for it: it saves bits alone, and most speakers would be mixed instead of passed on.
        """
        chosen = [Step.NONE]
        for step in (Step.PACKETS_40, Step.PACKETS_60, Step.BITS_24000):
            if self.at(step) != self.at(chosen[-1]):
                chosen.append(step)
        return (*chosen, Step.WAITING)


class Ladder:
    """Where a relay stands; times are monotonic seconds."""

    def __init__(self, steps: Sequence[Step], setting: LadderSetting = "auto") -> None:
        """Climbs `steps` by itself, or stays at the one that was set."""
        self._steps = steps
        self._pinned = setting != "auto"
        self.step = Step[setting.upper()] if setting != "auto" else Step.NONE
        self._pressed_since: float | None = None
        self._calm_since: float | None = None

    @property
    def below(self) -> Step:
        """The next step down."""
        return max((each for each in self._steps if each < self.step), default=self.step)

    def note(self, now: float, *, pressed: bool, calm: bool) -> bool:
        """Takes a reading; returns whether the step changed. `calm`: there would be no trouble one step down either."""
        self._pressed_since = None if not pressed else now if self._pressed_since is None else self._pressed_since
        calm = calm and not pressed
        self._calm_since = None if not calm else now if self._calm_since is None else self._calm_since
        if self._pinned:
            return False
        before = self.step
        if self._pressed_since is not None and now - self._pressed_since >= UP_SECONDS:
            self.step, self._pressed_since = min((each for each in self._steps if each > before), default=before), now
        elif self._calm_since is not None and now - self._calm_since >= DOWN_SECONDS:
            self.step, self._calm_since = self.below, now
        return self.step is not before
