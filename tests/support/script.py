"""A script of who is to hear whom, by the tone of each voice, held against what everybody hears at the same moment."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tests.support.rtc_client import Ear
from tests.support.voices import SAMPLE_RATE, Samples, loudness_at

NOT_HEARD = 0.01
"""Part of the amplitude of what is heard; less is what the window of a measurement lets through."""
LEVELLED = 0.14
"""Amplitude of a tone that the leveller knows."""
HEARD = 0.03
UNDER = (0.05, 0.2)
"""A floor 20 dB below."""
LATELY_SECONDS, STEADY_SECONDS = 0.8, 0.4
ENOUGH = SAMPLE_RATE // 5
"""What is held against the script, and how much of it must have come: on a busy machine it comes late."""
PATIENCE_SECONDS = 25.0


class Hearing(Protocol):
    """Whatever keeps what it hears."""

    def lately(self, seconds: float) -> Samples:
        """What came in the last so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Hears:
    """What a listener hears: a voice in full, and one quietly under it; 0 for nobody."""

    over: float = 0.0
    under: float = 0.0


@dataclass
class Script:
    """Everybody in the room with ears, by name."""

    voices: Mapping[str, float]
    """The tone of each who speaks."""
    listeners: Mapping[str, Hearing] = field(default_factory=dict)
    on_stage: dict[str, Sequence[Ear]] = field(default_factory=dict)
    """The slots of each."""

    async def holds(self, listeners: Mapping[str, Hears], on_stage: Mapping[str, set[float]]) -> None:
        """Waits until all hear what they should at the same time, and go on to."""
        began, well = time.monotonic(), 0.0
        wrong = ["nothing yet"]
        while well < STEADY_SECONDS:
            now = time.monotonic()
            assert now - began < PATIENCE_SECONDS, f"{'; '.join(wrong)} after {PATIENCE_SECONDS:g} s"
            await asyncio.sleep(0.1)
            now_wrong = self._wrong(listeners, on_stage)
            well = 0.0 if now_wrong else well + time.monotonic() - now
            wrong = now_wrong or wrong

    def is_right(self, sound: Samples, hears: Hears) -> bool:
        """Whether this is what a listener should hear."""
        levels = self._levels(sound)
        if hears == Hears() and not levels:
            return True
        loud = levels.pop(hears.over) if levels and hears.over else LEVELLED
        if not levels or loud < HEARD:
            return False
        if hears.under and not UNDER[0] < levels.pop(hears.under) / loud < UNDER[1]:
            return False
        return max(levels.values(), default=0.0) < NOT_HEARD * loud

    def _wrong(self, listeners: Mapping[str, Hears], on_stage: Mapping[str, set[float]]) -> list[str]:
        wrong = []
        for name, right in listeners.items():
            sound = self.listeners[name].lately(LATELY_SECONDS)
            if not self.is_right(sound, right):
                wrong.append(f"{name} hears {self._told(sound)} and not {self._called(right.over, right.under)}")
        for name, voices in on_stage.items():
            slots = [ear.lately(LATELY_SECONDS) for ear in self.on_stage[name]]
            heard = {tone for sound in slots for tone, level in self._levels(sound).items() if level > HEARD}
            if heard != voices:
                wrong.append(f"{name} on stage hears {self._called(*heard)} and not {self._called(*voices)}")
        return wrong

    def _levels(self, sound: Samples) -> dict[float, float]:
        """The amplitude that each voice has for a quarter of the time; nothing where too little came."""
        if len(sound) < ENOUGH:
            return {}
        return {tone: float(np.quantile(loudness_at(sound, tone), 0.75)) for tone in self.voices.values()}

    def _told(self, sound: Samples) -> str:
        levels = self._levels(sound)
        return str({name: round(levels[tone], 4) for name, tone in self.voices.items()}) if levels else "too little"

    def _called(self, *tones: float) -> str:
        return ", ".join(name for name, tone in self.voices.items() if tone in tones) or "nobody"
