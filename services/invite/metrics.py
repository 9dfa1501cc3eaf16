"""What operators want to count."""

from services.common.sight.metrics import Metrics


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._redemptions = metrics.counter("majlis_invite_redemptions_total", "Tries to redeem.", ("result",))
        self._invitations = metrics.counter("majlis_invite_invitations_total", "What became of invitations.", ("what",))
        self._limited = metrics.counter(
            "majlis_invite_rate_limited_total", "Calls refused by a rate limit.", ("limit",)
        )

    def redemption(self, result: str) -> None:
        """One try to redeem."""
        self._redemptions.labels(result).inc()

    def invitations(self, what: str, count: int = 1) -> None:
        """Invitations that were created, revoked, expired, or whose claim was settled."""
        self._invitations.labels(what).inc(count)

    def rate_limited(self, limit: str) -> None:
        """A limit said no."""
        self._limited.labels(limit).inc()
