"""The door of both edges: which network a request comes from, and whether that network asks too often.

What proxies say that cannot be used is logged now and then.
"""

import time
from collections.abc import Callable
from functools import lru_cache

from services.common.limits import TokenBuckets
from services.common.net import network_of
from services.common.sight.log import get_logger
from services.common.throttle import Throttles
from services.gateway.domain.errors import RateLimited
from services.gateway.domain.networks import Proxies

_log = get_logger("proxies")

_NETWORKS_KEPT = 4096


class Door:
    """Finds the network that a request's limits are counted for, and counts them."""

    def __init__(self, proxies: Proxies, limits: TokenBuckets, now: Callable[[], float] = time.monotonic) -> None:
        self._proxies = proxies
        self._limits = limits
        self._now = now
        self._throttles = Throttles(60.0)
        self._network = lru_cache(_NETWORKS_KEPT)(network_of)

    def network_of(self, peer: str, x_forwarded_for: str, forwarded: str) -> str:
        """The /24 or /64 of the client; empty for a peer without an address."""
        client = self._proxies.client(peer, x_forwarded_for, forwarded)
        if client.doubt:
            left_out = self._throttles.passes(client.doubt)
            if left_out is not None:
                # The entries themselves are people's addresses, and are in no log.
                _log.warning(
                    "a proxy does not say who its client is; they share its limits",
                    proxy=peer,
                    why=client.doubt,
                    left_out=left_out,
                )
        return self._network(client.address)

    def admit(self, network: str) -> None:
        """Counts one request. Raises RateLimited when its network has asked too often."""
        wait = self._limits.take(network, self._now())
        if wait > 0:
            raise RateLimited("too many requests from your network", retry_after_seconds=max(1.0, wait))
