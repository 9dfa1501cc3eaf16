"""The client's address behind proxies."""

import pytest

from services.gateway.domain.networks import Proxies


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ((), "203.0.113.7", "", "203.0.113.7"),
        ((), "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        (("10.0.0.0/8",), "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        (("10.0.0.0/8",), "10.1.2.3", "198.51.100.1", "198.51.100.1"),
        (("10.0.0.0/8",), "10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        (("10.0.0.0/8",), "10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
        (("10.0.0.0/8",), "10.1.2.3", "", "10.1.2.3"),
        (("10.0.0.0/8",), "10.1.2.3", "nonsense", "10.1.2.3"),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", "2001:db8::1", "2001:db8::1"),
        (("fd00::/8",), "fd00::1", "[2001:db8::1]", "2001:db8::1"),
        (("10.0.0.0/8",), "", "198.51.100.1", ""),
    ],
)
def test_only_trusted_proxies_are_believed(trusted: tuple[str, ...], peer: str, forwarded: str, client: str) -> None:
    assert Proxies(trusted).client(peer, forwarded) == client


def test_a_wrong_network_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Proxies(("10.0.0.0/99",))
