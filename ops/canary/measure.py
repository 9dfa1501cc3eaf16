"""What was heard of a known melody: how late it came, how much of it was missing, the longest gap. Pure."""

import itertools
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RATE = 8_000
"""Samples a second that heard frames are brought to; plenty for the tones."""
TONES = (400, 650, 900, 1150)
"""Hertz. Each sounds for a second in turn, so a delay is told apart from another one up to four seconds."""
TONE_SECONDS = 1.0

_BLOCK = RATE // 50
_QUIET = 0.003
# The rest is what codecs add, and the other half of a block in which the tone changes.
_SHARE = 0.4
_LONGEST_DELAY = len(TONES) * TONE_SECONDS / 2
# Players keep so much in hand: sound that comes in a burst after a shorter pause is heard without one.
_IN_HAND_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Mark:
    """A tone began to be said."""

    at: float
    """Monotonic seconds."""
    tone: int
    """Its place in TONES."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of sound as it arrived."""

    at: float
    """Monotonic seconds."""
    position: float
    """Where it belongs in the stream, in seconds."""
    samples: "array[int]"
    """16 bit, RATE a second."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener would feel."""

    mouth_to_ear_seconds: float | None
    """From the moment a sound is said to the moment it could be played; None when no tone was told apart."""
    lost_ratio: float
    """Share of the time, from the first sound to the end, in which the melody was not to be heard."""
    longest_gap_seconds: float


def tone_of(samples: "Sequence[int]") -> int | None:
    """Which of TONES a block is, or None for silence and for anything else (Goertzel's algorithm)."""
    power = sum(value * value for value in samples) / len(samples) / 32768**2
    if power < _QUIET**2:
        return None
    strengths = [_strength(samples, hertz) for hertz in TONES]
    best = max(range(len(TONES)), key=strengths.__getitem__)
    return best if strengths[best] > _SHARE * power else None


def _strength(samples: "Sequence[int]", hertz: float) -> float:
    """Power of one frequency, on the scale of the mean square of the samples."""
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    before, now = 0.0, 0.0
    for value in samples:
        before, now = now, value / 32768 + turn * now - before
    count = len(samples)
    return 2 * (now * now + before * before - turn * now * before) / count**2


def measure(frames: Sequence[Frame], marks: Sequence[Mark], end: float) -> Heard:
    """Compares what arrived until `end` (monotonic seconds) with what was said."""
    blocks = [
        (frame.at, frame.position + at / RATE, tone_of(frame.samples[at : at + _BLOCK]))
        for frame in frames
        for at in range(0, len(frame.samples) - _BLOCK + 1, _BLOCK)
    ]
    first = next((number for number, (_, _, tone) in enumerate(blocks) if tone is not None), None)
    if first is None:
        return Heard(None, 1.0, 0.0)
    blocks = blocks[first:]
    seconds = _BLOCK / RATE
    length = blocks[-1][1] + seconds - blocks[0][1]
    # What should have come since the last frame is missing, but not what is still on its way.
    length += max(0.0, end - blocks[-1][0] - _IN_HAND_SECONDS)
    sounding = sorted(position for _, position, tone in blocks if tone is not None)
    lost = max(0.0, 1 - len(sounding) * seconds / length)
    return Heard(_delay(blocks, marks), lost, _longest_gap(blocks, sounding, end))


def _delay(blocks: Sequence[tuple[float, float, int | None]], marks: Sequence[Mark]) -> float | None:
    """The median over all changes of tone that were heard."""
    delays = []
    current = blocks[0][2]
    for arrived, _, tone in blocks:
        if tone is None or tone == current:
            continue
        current = tone
        said = [mark.at for mark in marks if mark.tone == tone and 0 <= arrived - mark.at < 2 * _LONGEST_DELAY]
        if said:
            delays.append(arrived - max(said))
    return median(delays) if delays else None


def _longest_gap(blocks: Sequence[tuple[float, float, int | None]], sounding: Sequence[float], end: float) -> float:
    seconds = _BLOCK / RATE
    missing = max((later - earlier - seconds for earlier, later in itertools.pairwise(sounding)), default=0)
    stalls = [later[0] - earlier[0] - (later[1] - earlier[1]) for earlier, later in itertools.pairwise(blocks)]
    stall = max([*stalls, end - blocks[-1][0]])
    return max(0.0, missing, stall if stall > _IN_HAND_SECONDS else 0.0)
