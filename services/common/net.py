"""Addresses as settings write them, and networks as privacy allows them to be kept."""

import ipaddress
import socket


class PortTaken(Exception):
    """A listening address cannot be bound; the message is one plain line for the person who started the process."""

    def __init__(self, listen: str, cause: object = "") -> None:
        super().__init__(f"cannot listen on {listen}: it is taken or not an address of this machine ({cause})")
        self.listen = listen


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` as a pair. Raises ValueError when it is neither."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def has_ipv6() -> bool:
    """Whether this machine can be reached by IPv6, if only by itself."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def network_of(address: str) -> str:
    """The /24 or /64 an IP address is in: precise enough to limit rates, too coarse to name a person.

    An IPv4-mapped address counts as IPv4. Anything that is no address gives an empty string.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))
