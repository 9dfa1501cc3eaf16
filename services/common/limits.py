"""Says how often something may happen for each key: token buckets in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A burst of `burst`, then one more every `seconds_each`, for each key of the kind the name ends in."""

    name: str
    burst: int
    seconds_each: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class TokenBuckets:
    """One bucket for each key, holding at most `capacity` tokens and gaining `refill_per_second`.

    Keeps the `max_keys` most recently used buckets. A forgotten bucket counts as full, so `max_keys` must exceed the
    number of keys that one attacker can have active at a time.
    """

    def __init__(self, capacity: float, refill_per_second: float, *, max_keys: int = 10_000) -> None:
        if capacity <= 0 or refill_per_second <= 0 or max_keys <= 0:
            raise ValueError("capacity, refill_per_second and max_keys must be positive")
        self._capacity = capacity
        self._refill = refill_per_second
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, now: float, cost: float = 1.0) -> float:
        """Takes `cost` tokens at `now` (monotonic seconds).

        Returns 0.0 when they were there, else the seconds until they will be; then nothing is taken.
        """
        bucket = self._current(key, now)
        if bucket.tokens >= cost:
            bucket.tokens -= cost
            return 0.0
        return (min(cost, self._capacity) - bucket.tokens) / self._refill

    def give_back(self, key: Hashable, now: float, cost: float = 1.0) -> None:
        """Returns tokens that turned out not to be owed."""
        bucket = self._current(key, now)
        bucket.tokens = min(self._capacity, bucket.tokens + cost)

    def _current(self, key: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._capacity, now)
            self._forget(now)
        else:
            self._buckets.move_to_end(key)
            bucket.tokens = min(self._capacity, bucket.tokens + max(0.0, now - bucket.at) * self._refill)
            bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Drops buckets that are full again, as a forgotten one counts, and the oldest beyond the bound."""
        full_after = self._capacity / self._refill
        while len(self._buckets) > 1:
            key = next(iter(self._buckets))
            if len(self._buckets) <= self._max_keys and now - self._buckets[key].at < full_after:
                return
            del self._buckets[key]

    def __len__(self) -> int:
        return len(self._buckets)


class RateLimits:
    """Limits by name, each with buckets of its own in the memory of this process.

    `refused` hears the name of each limit that said no; `refusal` makes what is raised then, given the seconds to wait.
    """

    def __init__(
        self, monotonic: Callable[[], float], refused: Callable[[str], None], refusal: Callable[[float], Exception]
    ) -> None:
        self._monotonic = monotonic
        self._refused = refused
        self._refusal = refusal
        self._buckets: dict[str, TokenBuckets] = {}

    def take(self, limit: Limit, key: str = "") -> None:
        """Counts one. Raises the refusal when there were too many."""
        wait = self._of(limit).take(key, self._monotonic())
        if wait > 0:
            self._refused(limit.name)
            raise self._refusal(wait)

    def give_back(self, limit: Limit, key: str = "") -> None:
        """Uncounts one that turned out to be good."""
        self._of(limit).give_back(key, self._monotonic())

    def _of(self, limit: Limit) -> TokenBuckets:
        if limit.name not in self._buckets:
            self._buckets[limit.name] = TokenBuckets(limit.burst, 1 / limit.seconds_each)
        return self._buckets[limit.name]
