"""How far another machine's clock is from ours, by what it says it sent when."""

from collections import deque

FORGIVEN_SECONDS = 30.0
"""As far as access tokens forgive; beyond it nothing is made up for."""
_LOOKED_AT = 10


class ClockDifference:
    """Our time less another clock's, in seconds.

    What is on its way only adds to it: of the last ten the least is nearest to the truth.
    """

    def __init__(self) -> None:
        self._last = deque[float](maxlen=_LOOKED_AT)

    def note(self, seconds: float) -> None:
        """One that came now, with the time at which it was sent."""
        self._last.append(seconds)

    @property
    def seconds(self) -> float:
        """The best that is known; 0 while nothing is."""
        return min(self._last, default=0.0)


def is_forgiven(seconds: float) -> bool:
    """Whether a difference can be made up for."""
    return abs(seconds) <= FORGIVEN_SECONDS
