"""The machine's own addresses: where browsers beside us can reach the media port."""

import contextlib
import ipaddress
import socket

# Documentation addresses (RFC 5737, RFC 3849): nothing is sent, the system only says what it would send from.
_ELSEWHERE = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
_ANY_PORT = 9


def own_addresses() -> tuple[str, ...]:
    """The addresses this machine goes out with, IPv4 first; without loopback and link-local ones, maybe none."""
    found: list[str] = []
    for family, elsewhere in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, _ANY_PORT))
            address = ipaddress.ip_address(probe.getsockname()[0])
            if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                found.append(str(address))
    return tuple(found)


def bracketed(address: str) -> str:
    """An IP address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
