"""What operators want to count."""

from services.common.sight.metrics import Metrics


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._sign_ins = metrics.counter("majlis_auth_sign_ins_total", "Tries to sign in.", ("method", "result"))
        self._accounts = metrics.counter("majlis_auth_accounts_created_total", "Accounts made.")
        self._reused = metrics.counter("majlis_auth_refresh_reuse_total", "Spent refresh tokens that came again.")
        self._limited = metrics.counter("majlis_auth_rate_limited_total", "Calls refused by a rate limit.", ("limit",))

    def sign_in(self, method: str, result: str) -> None:
        """One try to sign in."""
        self._sign_ins.labels(method, result).inc()

    def account_created(self) -> None:
        self._accounts.inc()

    def refresh_reused(self) -> None:
        """A spent refresh token came again."""
        self._reused.inc()

    def rate_limited(self, limit: str) -> None:
        """A limit said no."""
        self._limited.labels(limit).inc()
