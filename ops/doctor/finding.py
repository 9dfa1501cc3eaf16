"""What the doctor says about one thing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool | None
    """None: it cannot be told from here."""
    say: str
    """What was seen and, when it is not good, what to do."""


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of host:port, IPv6 in brackets. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)
