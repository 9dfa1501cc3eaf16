"""Small adapters of the use cases' ports: chance, rate limits, counters."""

import secrets

from services.auth.domain.challenge import CODE_DIGITS
from services.auth.domain.errors import RateLimited
from services.auth.domain.limits import Limit
from services.common.clock import Clock
from services.common.ids import new_id
from services.common.limits import TokenBuckets
from services.common.sight.metrics import Metrics


class SystemChance:
    """Ids and secrets from the system's source of randomness."""

    def new_id(self) -> str:
        """A fresh id."""
        return new_id()

    def secret(self) -> bytes:
        """32 bytes nobody can guess."""
        return secrets.token_bytes(32)

    def code(self) -> str:
        """Six digits nobody can guess."""
        return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


class BucketLimits:
    """Rate limits in the memory of this process."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBuckets] = {}
        self._refused = metrics.counter("majlis_auth_rate_limited_total", "Calls refused by a rate limit.", ("limit",))

    def take(self, limit: Limit, key: str = "") -> None:
        """Counts one. Raises RateLimited when there were too many."""
        wait = self._of(limit).take(key, self._clock.monotonic())
        if wait > 0:
            self._refused.labels(limit.name).inc()
            raise RateLimited("too many tries; wait a little", retry_after_seconds=wait)

    def give_back(self, limit: Limit, key: str = "") -> None:
        """Uncounts one that turned out to be good."""
        self._of(limit).give_back(key, self._clock.monotonic())

    def _of(self, limit: Limit) -> TokenBuckets:
        if limit.name not in self._buckets:
            self._buckets[limit.name] = TokenBuckets(limit.burst, 1 / limit.seconds_each)
        return self._buckets[limit.name]


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._sign_ins = metrics.counter("majlis_auth_sign_ins_total", "Tries to sign in.", ("method", "result"))
        self._accounts = metrics.counter("majlis_auth_accounts_created_total", "Accounts made.")
        self._reused = metrics.counter("majlis_auth_refresh_reuse_total", "Spent refresh tokens that came again.")

    def sign_in(self, method: str, result: str) -> None:
        """One try to sign in."""
        self._sign_ins.labels(method, result).inc()

    def account_created(self) -> None:
        """One more account."""
        self._accounts.inc()

    def refresh_reused(self) -> None:
        """A spent refresh token came again."""
        self._reused.inc()
