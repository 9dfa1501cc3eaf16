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
    assert Proxies(trusted).client(peer, forwarded).address == client


PROXY = "10.1.2.3"


@pytest.mark.parametrize(
    ("entry", "client"),
    [
        ("203.0.113.9:51008", "203.0.113.9"),
        ("[2001:db8::1]:51008", "2001:db8::1"),
        ('"203.0.113.9:51008"', "203.0.113.9"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("  203.0.113.9  ", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.9,", "203.0.113.9"),
    ],
)
def test_the_client_is_found_however_its_proxy_spells_the_address(entry: str, client: str) -> None:
    for line in (entry, f"198.51.100.1, {entry}", f"{entry}, 10.9.9.9:443"):
        found = Proxies(("10.0.0.0/8",)).client(PROXY, line)
        assert (found.address, found.doubt) == (client, "")


@pytest.mark.parametrize(
    "entry", ["nonsense", "203.0.113.9:", "203.0.113.9:99:1", "203.0.113.999", "[2001:db8::1", "unknown", "_x1", "é"]
)
def test_what_is_no_address_is_said_and_leaves_the_proxy_as_the_client(entry: str) -> None:
    found = Proxies(("10.0.0.0/8",)).client(PROXY, f"198.51.100.1, {entry}")
    assert found.address == PROXY
    assert "x-forwarded-for" in found.doubt


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;proto=https;by=10.1.2.3", "203.0.113.9"),
        ('by="_edge,1";for="203.0.113.9:47011"; host="a;b"', "203.0.113.9"),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        ("for=[2001:db8::1]", "2001:db8::1"),
        ('for=198.51.100.1, for="203.0.113.9:_port";proto=http, for=10.9.9.9', "203.0.113.9"),
        ('for="\\203.0.113.9"', "203.0.113.9"),
    ],
)
def test_the_client_is_found_in_the_standard_header_too(forwarded: str, client: str) -> None:
    found = Proxies(("10.0.0.0/8",)).client(PROXY, "", forwarded)
    assert (found.address, found.doubt) == (client, "")
    assert Proxies(()).client(PROXY, "", forwarded).address == PROXY


@pytest.mark.parametrize(
    "forwarded",
    [
        "for=unknown",
        "for=_hidden",
        'for="_hidden:_port"',
        "proto=https",
        "for=203.0.113.9;for=203.0.113.8",
        'for=198.51.100.1, x="',
        'for="198.51.100.1, for="[2001:db8::1]"',
        "=;,=",
        "for=198.51.100.1, " + "x" * 10_000,
    ],
)
def test_a_client_that_the_standard_header_does_not_name_is_never_one_it_chose_itself(forwarded: str) -> None:
    found = Proxies(("10.0.0.0/8",)).client(PROXY, "", forwarded)
    assert found.address == PROXY
    assert "forwarded" in found.doubt


def test_of_two_headers_neither_is_believed_unless_they_agree_or_the_setting_names_one() -> None:
    either, first, second = (Proxies(("10.0.0.0/8",), name) for name in ("", "x-forwarded-for", "forwarded"))
    agreeing = (PROXY, "203.0.113.9:5", 'for="203.0.113.9"')
    assert either.client(*agreeing).address == "203.0.113.9"
    forged = (PROXY, "203.0.113.9", "for=198.51.100.1")
    assert either.client(*forged).address == PROXY
    assert "different clients" in either.client(*forged).doubt
    assert first.client(*forged).address == "203.0.113.9"
    assert second.client(*forged).address == "198.51.100.1"
    assert "no forwarded" in second.client(PROXY, "203.0.113.9").doubt
    assert second.client(PROXY).doubt == ""


def test_a_wrong_network_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Proxies(("10.0.0.0/99",))


def test_a_header_nobody_knows_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="neither"):
        Proxies(("10.0.0.0/8",), "x-real-ip")
