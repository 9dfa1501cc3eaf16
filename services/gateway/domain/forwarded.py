"""Reads what proxies write of where a request came from: X-Forwarded-For, and Forwarded (RFC 7239)."""

import ipaddress
import re
from dataclasses import dataclass

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# A port, or in its place a name that hides it (RFC 7239 §6).
_PORT = r"(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?"
_V6 = re.compile(rf"\[([^\]]*)\]{_PORT}\Z")
_V4 = re.compile(rf"([\d.]+){_PORT}\Z")
_HIDDEN = re.compile(rf"(?:unknown|_[A-Za-z0-9._-]+){_PORT}\Z", re.IGNORECASE)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Hop:
    """One entry: an address, or None with what it is instead."""

    address: str | None
    instead: str = ""


_TOO_LONG = Hop(None, "cannot be read: the header is too long")


def hops_of_x_forwarded_for(header: str) -> list[Hop]:
    """Its entries from left to right; empty ones are none."""
    if len(header) > _LONGEST:
        return [_TOO_LONG]
    return [_hop(entry) for entry in header.split(",") if entry.strip()]


def hops_of_forwarded(header: str) -> list[Hop]:
    """Whom each proxy forwarded for, from left to right.

    A quote that a client left open swallows what the proxy wrote behind it: then the last hop is no address, never one
    of the client's choice.
    """
    if len(header) > _LONGEST:
        return [_TOO_LONG]
    return [_hop(_for_of(element)) for element in _split(header, ",") if element.strip()]


def plain_address(text: str) -> str | None:
    """The address in `text`, without a zone, an IPv4-mapped one as IPv4; None when it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def _for_of(element: str) -> str:
    """The value of `for` in one element; nothing when the element has none, or two."""
    pairs = (pair.partition("=") for pair in _split(element, ";"))
    values = [value for name, _, value in pairs if name.strip().lower() == "for"]
    return values[0] if len(values) == 1 else ""


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that are not inside a quoted string."""
    parts, start, quoted, escaped = [], 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _hop(entry: str) -> Hop:
    text = entry.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _ESCAPED.sub(r"\1", text[1:-1]).strip()
    if _HIDDEN.match(text):
        return Hop(None, "hides the address")
    with_port = _V6.match(text) or _V4.match(text)
    address = plain_address(with_port[1] if with_port is not None else text)
    return Hop(address) if address is not None else Hop(None, "is no address")
