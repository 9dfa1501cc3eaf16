"""Where a request comes from, when proxies stand in between."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies whose word on a client's address is believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(each, strict=False) for each in trusted)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The client's address: from the right of X-Forwarded-For, the first that is not a trusted proxy.

        What stands further left was written by the client and proves nothing.
        """
        address = peer
        hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
        while self._is_trusted(address) and hops:
            hop = hops.pop().removeprefix("[").removesuffix("]")
            if not _is_address(hop):
                break
            address = hop
        return address

    def _is_trusted(self, address: str) -> bool:
        if not self._trusted or not _is_address(address):
            return False
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
