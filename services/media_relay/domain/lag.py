"""How far an interpreter is behind whoever speaks, by when each of them spoke.

Words differ, and so do their lengths: what goes over from one to the other is the pauses, later. The activity of both,
in steps of 100 ms, is laid over each other at each lag; where one fits clearly better than all others, that is it.
Else nothing is said: an interpreter who speaks through the pauses, or who says nothing, gives no answer.
"""

from collections import deque
from math import sqrt
from statistics import median

STEP_SECONDS = 0.1
_SOONEST, _LATEST = 3, 65
"""Steps by which an interpreter may be behind (0.3 to 6.5 s)."""
_AHEAD = 40
"""Steps by which they cannot be ahead (4 s): what fits best there was chance."""
_LEAST_STEPS = 200
"""Of both, less than which says nothing (20 s)."""
_LEAST_FIT = 0.6
"""Correlation below which two talks have nothing to do with each other."""
_NEIGHBOURS = 12
"""Steps around the best fit that are like it."""
_CLEARLY = 0.25
"""How much better it fits than the rest."""
_KEPT = 8
_AGREE = 7
"""So many of the last estimates have to agree."""
_SPREAD_SECONDS = 0.6


def estimate(floor: str, booth: str) -> float | None:
    """The lag in seconds by the activity of both, `1` and `0` a step, oldest first and ending together."""
    length = min(len(floor), len(booth))
    if length < _LEAST_STEPS:
        return None
    first, second = int(floor[-length:], 2), int(booth[-length:], 2)
    fits = {lag: _fit(first, second, length, lag) for lag in range(-_AHEAD, _LATEST + 1)}
    best = max(fits, key=lambda lag: fits[lag])
    others = max(fit for lag, fit in fits.items() if abs(lag - best) > _NEIGHBOURS)
    if best < _SOONEST or best == _LATEST or fits[best] < _LEAST_FIT or fits[best] - others < _CLEARLY:
        return None
    return best * STEP_SECONDS


def _fit(floor: int, booth: int, length: int, lag: int) -> float:
    """The correlation of two rows of bits, the second moved back by `lag` (phi, -1 to 1)."""
    if lag < 0:
        floor, booth, lag = booth, floor, -lag
    count = length - lag
    floor, booth = floor >> lag, booth & ((1 << count) - 1)
    spoken, said, both = floor.bit_count(), booth.bit_count(), (floor & booth).bit_count()
    spread = spoken * (count - spoken) * said * (count - said)
    return (both * count - spoken * said) / sqrt(spread) if spread else 0.0


class Lag:
    """One interpreter's, over time: told while most of the last estimates agree."""

    def __init__(self) -> None:
        self._estimates: deque[float | None] = deque(maxlen=_KEPT)

    def look(self, floor: str, booth: str) -> None:
        """Takes in what was spoken lately; call it every second or two."""
        self._estimates.append(estimate(floor, booth))

    @property
    def seconds(self) -> float | None:
        """The lag; None while it is not known."""
        known = [each for each in self._estimates if each is not None]
        if not known:
            return None
        middle = median(known)
        agreeing = [each for each in known if abs(each - middle) <= _SPREAD_SECONDS]
        return median(agreeing) if len(agreeing) >= _AGREE else None
