"""Small adapters of the use cases' ports: rate limits and counters."""

from services.common.clock import Clock
from services.common.limits import TokenBuckets
from services.common.sight.metrics import Metrics
from services.invite.domain.errors import RateLimited
from services.invite.domain.limits import Limit


class BucketLimits:
    """Rate limits in the memory of this process."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBuckets] = {}
        self._refused = metrics.counter(
            "majlis_invite_rate_limited_total", "Calls refused by a rate limit.", ("limit",)
        )

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
        self._redemptions = metrics.counter("majlis_invite_redemptions_total", "Tries to redeem.", ("result",))
        self._invitations = metrics.counter("majlis_invite_invitations_total", "What became of invitations.", ("what",))

    def redemption(self, result: str) -> None:
        """One try to redeem."""
        self._redemptions.labels(result).inc()

    def invitations(self, what: str, count: int = 1) -> None:
        """Invitations that were created, revoked, expired, or whose claim was settled."""
        self._invitations.labels(what).inc(count)
