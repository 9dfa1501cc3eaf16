"""Where a request comes from, when proxies stand in between."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from services.gateway.domain.forwarded import Hop, hops_of_forwarded, hops_of_x_forwarded_for, plain_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

X_FORWARDED_FOR, FORWARDED = "x-forwarded-for", "forwarded"
PROXY_HEADERS = (X_FORWARDED_FOR, FORWARDED)


@dataclass(frozen=True, slots=True)
class Client:
    """A client's address, as far as it can be known."""

    address: str
    doubt: str = ""
    """Why it is a proxy's own address although that proxy said something; empty when all is well."""


class Proxies:
    """The proxies whose word on a client's address is believed."""

    def __init__(self, trusted: Iterable[str], header: str = "") -> None:
        """`header` names the one header the proxies write; without it either is read.

        Raises ValueError for what is neither an address nor a network, or no such header.
        """
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(each, strict=False) for each in trusted)
        if header and header not in PROXY_HEADERS:
            raise ValueError(f"{header!r} is neither {' nor '.join(PROXY_HEADERS)}")
        self._header = header

    def client(self, peer: str, x_forwarded_for: str = "", forwarded: str = "") -> Client:
        """The client: from the right of what the proxies wrote, the first address that is not a trusted proxy.

        What stands further left was written by the client and proves nothing. So does a header that the proxies only
        pass on: when both headers came and lead to different clients, one of them is forged, and neither is believed.
        """
        if not self._is_trusted(peer):
            return Client(peer)
        if self._header:
            only = x_forwarded_for if self._header == X_FORWARDED_FOR else forwarded
            other = x_forwarded_for or forwarded
            if other and not only:
                return Client(peer, f"the proxy sent no {self._header} but the other header")
            return self._walk(peer, self._header, _hops(self._header, only))
        found = [
            self._walk(peer, name, _hops(name, value))
            for name, value in ((X_FORWARDED_FOR, x_forwarded_for), (FORWARDED, forwarded))
            if value
        ]
        if len(found) == 2 and found[0].address != found[1].address:
            return Client(peer, f"{X_FORWARDED_FOR} and {FORWARDED} lead to different clients")
        return found[0] if found else Client(peer)

    def _walk(self, peer: str, name: str, hops: list[Hop]) -> Client:
        address = peer
        while hops and self._is_trusted(address):
            hop = hops.pop()
            if hop.address is None:
                return Client(address, f"an entry of {name} {hop.instead}")
            address = hop.address
        return Client(address)

    def _is_trusted(self, address: str) -> bool:
        plain = plain_address(address) if self._trusted else None
        if plain is None:
            return False
        ip = ipaddress.ip_address(plain)
        return any(ip in network for network in self._trusted)


def _hops(name: str, value: str) -> list[Hop]:
    return hops_of_x_forwarded_for(value) if name == X_FORWARDED_FOR else hops_of_forwarded(value)
