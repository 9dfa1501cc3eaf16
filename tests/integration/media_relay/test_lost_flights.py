"""Flights of a handshake that are lost come again by OpenSSL's own clock, which no test can move."""

import asyncio

from services.media_relay.domain.media import SrtpKeys
from services.media_relay.sessions.certificate import Certificate
from services.media_relay.sessions.dtls import Dtls
from services.media_relay.sessions.handshake import Handshakes
from tests.support.fake_bus import eventually


class _Keyed:
    def __init__(self) -> None:
        self.keys: list[SrtpKeys] = []

    def keyed(self, keys: SrtpKeys) -> None:
        self.keys.append(keys)

    def failed(self) -> None:
        raise AssertionError("the handshake failed")

    def closed(self) -> None:
        raise AssertionError("nobody said goodbye")


def line() -> tuple[Handshakes, Dtls, list[bytes], _Keyed]:
    """A relay's handshakes, a client, what the relay sends, and how it went."""
    certificate, answers, told = Certificate(), list[bytes](), _Keyed()
    relay = Handshakes(lambda _, datagram: answers.append(datagram))
    ours = relay.expect(7, [certificate.fingerprint], told)
    return relay, Dtls(certificate, [ours], begins=True), answers, told


async def test_the_relay_repeats_a_flight_that_nobody_answers() -> None:
    relay, client, answers, told = line()
    for datagram in client.begin():
        relay.feed(7, datagram)
    lost = len(answers)
    await eventually(lambda: len(answers) > lost, 5)
    for datagram in [back for answer in answers[lost:] for back in client.handle_datagram(answer)]:
        relay.feed(7, datagram)
    assert len(told.keys) == 1
    relay.close()


async def test_a_client_that_lost_the_last_flight_gets_it_again() -> None:
    relay, client, answers, told = line()
    for datagram in client.begin():
        relay.feed(7, datagram)
    first, answers[:] = list(answers), []
    for datagram in [back for answer in first for back in client.handle_datagram(answer)]:
        relay.feed(7, datagram)
    assert len(told.keys) == 1
    answers.clear()
    repeated: list[bytes] = []
    while not repeated:
        await asyncio.sleep(client.timeout or 0.01)
        repeated = client.handle_timeout()
    for datagram in repeated:
        relay.feed(7, datagram)
    for answer in answers:
        client.handle_datagram(answer)
    assert client.keys is not None, client.why
    assert len(told.keys) == 1
    relay.close()
