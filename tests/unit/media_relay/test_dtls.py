"""DTLS handshakes without a network: what both ends agree on, what is lost on the way, and what is refused."""

import asyncio
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from structlog.testing import capture_logs

from services.media_relay.domain.media import SrtpKeys
from services.media_relay.sessions.certificate import Certificate
from services.media_relay.sessions.dtls import DATAGRAM_BYTES, Dtls, datagrams
from services.media_relay.sessions.handshake import SETTLE_SECONDS, Handshakes
from services.media_relay.sessions.sdp.offer import Fingerprint

OURS, THEIRS = Certificate(), Certificate()


def ends(theirs: Certificate = THEIRS) -> tuple[Dtls, Dtls]:
    """A client and our server, each knowing the other's fingerprint."""
    return Dtls(theirs, [OURS.fingerprint], begins=True), Dtls(OURS, [theirs.fingerprint], begins=False)


def talk(client: Dtls, server: Dtls, flight: list[bytes]) -> None:
    """Carries flights to and fro, the client's first, until nobody has anything to say."""
    to, other = server, client
    while flight:
        flight = [answer for datagram in flight for answer in to.handle_datagram(datagram)]
        to, other = other, to


def is_told(client: Dtls) -> bool:
    """Whether our goodbye reached it; an application reads on, as this one does at the next datagram."""
    client.handle_datagram(b"\0")
    return client.is_closed


def opposite(keys: SrtpKeys | None) -> SrtpKeys | None:
    return keys and SrtpKeys(keys.profile, keys.remote, keys.local)


@pytest.mark.parametrize(
    "theirs",
    [THEIRS, Certificate(ec.generate_private_key(ec.SECP521R1())), Certificate(rsa.generate_private_key(65537, 2048))],
    ids=["P-256", "P-521", "RSA"],
)
def test_both_ends_have_the_same_keys_whatever_the_clients_certificate_is_made_of(theirs: Certificate) -> None:
    client, server = ends(theirs)
    talk(client, server, client.begin())
    assert server.keys is not None, server.why
    assert server.keys.profile == "AEAD_AES_128_GCM"
    assert len(server.keys.local) == len(server.keys.remote) == 28
    assert client.keys == opposite(server.keys)


def test_where_we_begin_a_server_with_an_rsa_certificate_is_understood() -> None:
    studio = Certificate(rsa.generate_private_key(65537, 2048))
    client, server = Dtls(OURS, [studio.fingerprint], begins=True), Dtls(studio, [OURS.fingerprint], begins=False)
    talk(client, server, client.begin())
    assert client.keys is not None, client.why
    assert server.keys == opposite(client.keys)


@pytest.mark.parametrize(
    ("spelt", "name", "length"),
    [(b"SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM", 44), (b"SRTP_AES128_CM_SHA1_80", "AES128_CM_HMAC_SHA1_80", 30)],
)
def test_the_client_that_knows_one_profile_only_gets_that(spelt: bytes, name: str, length: int) -> None:
    theirs = Certificate()
    theirs.context.set_tlsext_use_srtp(spelt)
    client, server = ends(theirs)
    talk(client, server, client.begin())
    assert server.keys is not None
    assert server.keys.profile == name
    assert len(server.keys.local) == length
    assert client.keys == opposite(server.keys)


def test_a_client_without_srtp_is_told_apart() -> None:
    theirs = Certificate()
    theirs.context = SSL.Context(SSL.DTLS_METHOD)
    theirs.context.use_certificate(theirs.x509)
    theirs.context.use_privatekey(theirs.key)
    client, server = ends(theirs)
    talk(client, server, client.begin())
    assert (server.keys, server.why) == (None, "no SRTP profile in common")


@pytest.mark.parametrize("others", [[Certificate().fingerprint], [THEIRS.fingerprint, Certificate().fingerprint], []])
def test_somebody_elses_certificate_gives_no_keys_and_is_told_goodbye(others: list[Fingerprint]) -> None:
    client, server = Dtls(THEIRS, [OURS.fingerprint], begins=True), Dtls(OURS, others, begins=False)
    talk(client, server, client.begin())
    assert server.keys is None
    assert server.why == "the client's certificate is not the one whose fingerprint it offered"
    assert is_told(client)


def test_a_client_without_a_certificate_is_refused_and_told_so() -> None:
    theirs = Certificate()
    theirs.context = SSL.Context(SSL.DTLS_METHOD)
    client, server = ends(theirs)
    talk(client, server, client.begin())
    assert "certificate" in server.why
    assert client.why, "the alert reached it"


def test_flights_fit_every_path_and_no_record_is_cut() -> None:
    big = Certificate(rsa.generate_private_key(65537, 4096))
    client, server = ends(big)
    sent: list[bytes] = []
    flight = client.begin()
    to, other = server, client
    while flight:
        sent += flight
        flight = [answer for datagram in flight for answer in to.handle_datagram(datagram)]
        to, other = other, to
    assert server.keys is not None
    assert max(map(len, sent)) <= DATAGRAM_BYTES


def test_records_are_packed_whole() -> None:
    def record(length: int) -> bytes:
        return bytes(11) + length.to_bytes(2) + bytes(length)

    assert datagrams(b"") == []
    assert [len(each) for each in datagrams(record(500) + record(500) + record(500))] == [1026, 513]
    assert [len(each) for each in datagrams(record(1187) + record(1))] == [1200, 14]


def test_garbage_ends_no_handshake_that_has_given_keys() -> None:
    client, server = ends()
    talk(client, server, client.begin())
    for garbage in (b"\x16" * 60, b"\x14\xfe\xfd" + bytes(20), b"\x17\xfe\xfd" + bytes([0, 1] * 40)):
        assert server.handle_datagram(garbage) == []
    assert server.keys is not None
    assert not server.is_closed
    assert server.why == ""


@dataclass
class Told:
    """How a handshake went."""

    keys: list[SrtpKeys] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def keyed(self, keys: SrtpKeys) -> None:
        self.keys.append(keys)

    def failed(self) -> None:
        self.ends.append("failed")

    def closed(self) -> None:
        self.ends.append("closed")


class Line:
    """Handshakes of a relay, with one client at the other end."""

    def __init__(self, theirs: Certificate = THEIRS, *, begins: bool = False) -> None:
        self.relay = Handshakes(lambda _, datagram: self.answers.append(datagram))
        self.answers: list[bytes] = []
        self.told = Told()
        ours = self.relay.expect(7, [theirs.fingerprint], self.told, begins=begins)
        self.client = Dtls(theirs, [ours], begins=not begins)

    def carry(self, flight: list[bytes]) -> None:
        """To the relay, back to the client, until nobody has anything to say."""
        while flight:
            for datagram in flight:
                self.relay.feed(7, datagram)
            answers, self.answers = self.answers, []
            flight = [back for answer in answers for back in self.client.handle_datagram(answer)]


async def test_a_client_that_waits_is_begun_with_once_its_address_is_known() -> None:
    line = Line(begins=True)
    assert line.answers == []
    line.relay.reachable(7)
    line.relay.reachable(7)
    hello, line.answers = line.answers, []
    assert len(hello) == 1, "one flight, however often its address is told"
    line.carry([back for datagram in hello for back in line.client.handle_datagram(datagram)])
    assert len(line.told.keys) == 1
    assert line.client.keys == opposite(line.told.keys[0])


async def test_a_finished_handshake_is_let_go_after_a_while_without_a_word() -> None:
    line = Line()
    line.carry(line.client.begin())
    await asyncio.sleep(SETTLE_SECONDS - 1)
    assert len(line.relay) == 1
    await asyncio.sleep(2)
    assert (len(line.relay), line.relay.dropped) == (0, 1)
    assert (line.answers, line.told.ends) == ([], [])


async def test_a_client_that_says_goodbye_is_let_go() -> None:
    line = Line()
    line.carry(line.client.begin())
    line.client._tls.shutdown()
    line.carry(line.client._flight())
    assert line.told.ends == ["closed"]
    assert len(line.relay) == 0


async def test_a_handshake_that_fails_is_told_and_named_in_the_log() -> None:
    theirs = Certificate()
    theirs.context = SSL.Context(SSL.DTLS_METHOD)
    line = Line(theirs)
    with capture_logs() as lines:
        line.carry(line.client.begin())
    assert line.told.ends == ["failed"]
    assert "certificate" in lines[0]["why"]
    assert (len(line.relay), line.relay.dropped) == (0, 1)


async def test_what_makes_openssl_stumble_fails_that_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()

    def stumble(_: Dtls, __: bytes) -> list[bytes]:
        raise ValueError("odd")

    monkeypatch.setattr(Dtls, "handle_datagram", stumble)
    line.relay.feed(7, b"\x16")
    assert line.told.ends == ["failed"]


async def test_a_forgotten_session_sends_and_hears_nothing_more() -> None:
    line = Line()
    (hello,) = line.client.begin()
    line.relay.feed(7, hello)
    line.answers.clear()
    line.relay.forget(7)
    line.relay.feed(7, b"\x16")
    await asyncio.sleep(30)
    assert line.answers == []
    assert line.told == Told()


async def test_certificates_are_renewed_weekly_and_a_handshake_keeps_its_own() -> None:
    line = Line()
    first = line.relay.expect(8, [], line.told)
    await asyncio.sleep(8 * 24 * 3600)
    assert line.relay.expect(9, [], line.told) != first
    line.carry(line.client.begin())
    assert len(line.told.keys) == 1
