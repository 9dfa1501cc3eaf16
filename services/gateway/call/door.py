"""The network a request came from, for both edges; what proxies say that cannot be used is logged now and then."""

from functools import lru_cache

from services.common.net import network_of
from services.common.sight.log import get_logger
from services.common.throttle import Throttles
from services.gateway.domain.networks import Proxies

_log = get_logger("proxies")

_NETWORKS_KEPT = 4096


class ClientNetworks:
    """Finds the network that a request's limits are counted for."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._throttles = Throttles(60.0)
        self._network = lru_cache(_NETWORKS_KEPT)(network_of)

    def of(self, peer: str, x_forwarded_for: str, forwarded: str) -> str:
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
