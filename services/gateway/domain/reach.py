"""Who may try the network, and how often: people without a sign-in may, so everything here has a bound."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "/reach/"
TRIAL_SECONDS: Final = 30.0
"""How long a trial is open at most; one that is told to be over makes room at once."""
REST_SECONDS: Final = 3.0
"""Between two trials of one network, so that a program that asks in a loop gets nowhere."""
STEPS: Final = {"whep": 6, "tone": 4, "events": 3, "socket": 3}
"""How often each step may be taken in one trial: tried again once, and each way by itself."""


@dataclass(slots=True)
class _Trial:
    network: str
    until: float
    taken: Counter[str] = field(default_factory=Counter)


class Gate:
    """The trials of this gateway; times are seconds of one steady clock."""

    def __init__(self, most: int) -> None:
        """`most` at once; none may be tried where it is 0."""
        self._most = most
        self._trials: dict[str, _Trial] = {}
        self._rests: dict[str, float] = {}
        self._over: dict[str, float] = {}
        """Trials that ended, and until when their slips would still be read."""

    def __len__(self) -> int:
        return len(self._trials)

    def wait(self, network: str, now: float) -> float:
        """Seconds until somebody of a network may try; 0 for now."""
        self._forget(now)
        same = [each.until - now for each in self._trials.values() if each.network == network]
        if same:
            return max(same)
        if network in self._rests:
            return self._rests[network] - now
        if len(self._trials) >= self._most:
            return min((each.until - now for each in self._trials.values()), default=TRIAL_SECONDS)
        return 0.0

    def begin(self, name: str, network: str, now: float) -> None:
        """Opens a trial for whom there was nothing to wait."""
        self._trials[name] = _Trial(network, now + TRIAL_SECONDS)

    def adopt(self, name: str, network: str, now: float) -> bool:
        """Knows a trial that another copy of the gateway opened; False for one that is over, or without a place."""
        if name in self._trials:
            return True
        if name in self._over or self.wait(network, now) > 0.0:
            return False
        self.begin(name, network, now)
        return True

    def take(self, name: str, step: str) -> bool:
        """Counts a step of a trial; False for one step too many."""
        trial = self._trials[name]
        trial.taken[step] += 1
        return trial.taken[step] <= STEPS[step]

    def end(self, name: str, now: float) -> None:
        """The trial is over, and its slip takes no more steps; what is none of ours stays as it is."""
        trial = self._trials.pop(name, None)
        if trial is not None:
            self._rests[trial.network] = now + REST_SECONDS
            # A slip is good for as long as a trial, to the second: a little longer here than there.
            self._over[name] = now + TRIAL_SECONDS + REST_SECONDS

    def _forget(self, now: float) -> None:
        for name in [name for name, trial in self._trials.items() if trial.until <= now]:
            self.end(name, now)
        self._over = {name: until for name, until in self._over.items() if until > now}
        self._rests = {network: until for network, until in self._rests.items() if until > now}
