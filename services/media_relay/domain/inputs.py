"""How well those who speak on the floor can be heard by who interprets them: what was measured, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

_ENOUGH_PACKETS = 50
"""Fewer say nothing about losses."""
_LEVEL_STEP_DB, _BAND_STEP_HZ, _LOSS_STEP, _DELAY_STEP = 3.0, 1000, 1.0, 0.3
"""What makes a difference to somebody who reads it."""


class Fault(StrEnum):
    """What is wrong with what a microphone sends, in order of the contract."""

    QUIET = "quiet"
    LOUD = "loud"
    CLIPPING = "clipping"
    NARROW_BAND = "narrow_band"
    LOSS = "loss"


class Reading(Protocol):
    """What the packet core measured of one microphone; None of what was not heard enough."""

    @property
    def member(self) -> int: ...
    @property
    def level_dbov(self) -> float | None:
        """Mean level of speech in dBov, -127 to 0."""
        ...

    @property
    def clipped(self) -> float | None:
        """Part of the samples of speech that lie at full scale, 0 to 1."""
        ...

    @property
    def band_hz(self) -> int | None: ...
    @property
    def expected(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def activity(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SpeakerInput:
    """The input of one who speaks on the floor."""

    user_id: str
    member: int
    level_dbov: float | None
    band_hz: int | None
    loss_percent: float
    faults: tuple[Fault, ...]

    @property
    def is_known(self) -> bool:
        """Whether enough was heard to say that nothing is wrong."""
        return self.level_dbov is not None and self.band_hz is not None

    def differs(self, other: "SpeakerInput | None") -> bool:
        """Whether somebody who reads both would see it."""
        return (
            other is None
            or (self.faults, self.is_known) != (other.faults, other.is_known)
            or _apart(self.level_dbov, other.level_dbov, _LEVEL_STEP_DB)
            or _apart(self.band_hz, other.band_hz, _BAND_STEP_HZ)
            or _apart(self.loss_percent, other.loss_percent, _LOSS_STEP)
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everybody on the floor of a room, by member number, and how far each booth is behind, in seconds."""

    speakers: Mapping[int, SpeakerInput] = field(default_factory=dict)
    delays: Mapping[str, float | None] = field(default_factory=dict)

    def differ(self, other: "Inputs") -> bool:
        """Whether somebody who reads both would see it."""
        return (
            self.speakers.keys() != other.speakers.keys()
            or self.delays.keys() != other.delays.keys()
            or any(speaker.differs(other.speakers[member]) for member, speaker in self.speakers.items())
            or any(_apart(delay, other.delays[booth], _DELAY_STEP) for booth, delay in self.delays.items())
        )


def judge(user_id: str, reading: Reading, before: SpeakerInput | None) -> SpeakerInput:
    """What one can say of a microphone; a fault that was there goes once it is clearly gone."""
    loss = 100.0 * reading.lost / reading.expected if reading.expected >= _ENOUGH_PACKETS else 0.0
    had = before.faults if before is not None else ()
    level, clipped = reading.level_dbov, reading.clipped
    found = {
        Fault.QUIET: level is not None and level < (-36.0 if Fault.QUIET in had else -38.0),
        Fault.CLIPPING: clipped is not None and clipped > (0.001 if Fault.CLIPPING in had else 0.002),
        Fault.NARROW_BAND: reading.band_hz is not None
        and reading.band_hz < (8000 if Fault.NARROW_BAND in had else 7000),
        Fault.LOSS: loss > (1.0 if Fault.LOSS in had else 2.0),
    }
    found[Fault.LOUD] = (
        level is not None and level > (-14.0 if Fault.LOUD in had else -12.0) and not found[Fault.CLIPPING]
    )
    faults = tuple(fault for fault in Fault if found[fault])
    return SpeakerInput(user_id, reading.member, level, reading.band_hz, loss, faults)


def _apart(one: float | None, other: float | None, step: float) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) >= step
