"""What one person who comes in costs this relay, learnt from what its process did while people came."""

_TRUSTED_JOINS = 100
"""So many joins weigh as much as what was believed before."""
_FEWEST = 5
"""Joins in a reading below which what else the process did would drown them."""
_FURTHEST = 4.0
"""How many times more, or less, than supposed one reading may say: a busy machine tells nonsense now and then."""
_SMOOTH = 0.2


class JoinCost:
    """An estimate in microseconds of CPU, which begins with a supposition."""

    def __init__(self, supposed: float) -> None:
        self._supposed = supposed
        self._idle = 0.0
        """Microseconds a second that the process needs while nobody comes."""
        self.microseconds = supposed

    def note(self, busy: float, seconds: float, joins: int) -> None:
        """Takes a reading: microseconds that the process spent beside sound, and how many people came in meanwhile."""
        if not joins:
            self._idle += _SMOOTH * (busy / seconds - self._idle)
        if joins < _FEWEST:
            return
        told = (busy - self._idle * seconds) / joins
        told = min(max(told, self._supposed / _FURTHEST), self._supposed * _FURTHEST)
        self.microseconds += (told - self.microseconds) * joins / (joins + _TRUSTED_JOINS)
