"""The DTLS handshakes of sessions that are being opened, over the packet core's datagrams."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.sight.log import get_logger
from services.common.throttle import Throttle
from services.media_relay.sessions.certificate import Certificate
from services.media_relay.sessions.dtls import Dtls
from services.media_relay.sessions.ports import Outcome
from services.media_relay.sessions.sdp.offer import Fingerprint

SETTLE_SECONDS = 10.0
"""How long a finished handshake answers repeats of the client's last flight, before its 120 KB of state are dropped."""
CERTIFICATE_SECONDS = 7 * 24 * 3600.0
"""A fresh certificate weekly: they are valid for 30 days."""

_log = get_logger("dtls")


@dataclass(slots=True)
class _Expected:
    certificate: Certificate
    fingerprints: Sequence[Fingerprint]
    outcome: Outcome
    begins: bool
    dtls: Dtls | None = None
    timer: asyncio.TimerHandle | None = None


class Handshakes:
    """The handshakes of sessions that are being opened.

    Nothing is allocated until a client's first flight arrives, or, where it waits for ours, until its address is known.
    How a handshake went is told to the outcome that came with it. Each datagram is worked off as it comes, in a third
    of a millisecond at most: nothing waits, and nothing has to be bounded.
    """

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        self._send = send
        self._failure_lines = Throttle()
        self._expected: dict[int, _Expected] = {}
        self.dropped = 0
        """Handshakes whose state was let go, ever: their memory may be given back to the system."""
        self._certificate = Certificate()
        self._certificate_until = asyncio.get_running_loop().time() + CERTIFICATE_SECONDS

    def __len__(self) -> int:
        """Handshakes expected, running or settling."""
        return len(self._expected)

    def expect(
        self, handle: int, fingerprints: Sequence[Fingerprint], outcome: Outcome, *, begins: bool = False
    ) -> Fingerprint:
        """Gets ready for a session's handshake, which we begin or the client; returns the fingerprint to announce."""
        now = asyncio.get_running_loop().time()
        if now >= self._certificate_until:
            self._certificate = Certificate()
            self._certificate_until = now + CERTIFICATE_SECONDS
        self._expected[handle] = _Expected(self._certificate, fingerprints, outcome, begins)
        return self._certificate.fingerprint

    def feed(self, handle: int, datagram: bytes) -> None:
        """Takes a DTLS datagram of a client."""
        expected = self._expected.get(handle)
        # Where we begin there is nothing to answer before.
        if expected is not None and not (expected.begins and expected.dtls is None):
            self._go_on(handle, expected, lambda dtls: dtls.handle_datagram(datagram))

    def reachable(self, handle: int) -> None:
        """The client's address is known: a handshake that is ours to begin begins."""
        expected = self._expected.get(handle)
        if expected is not None and expected.begins and expected.dtls is None:
            self._go_on(handle, expected, Dtls.begin)

    def forget(self, handle: int) -> None:
        """Drops what is kept of a session's handshake, without a word: a goodbye would end the call at the client."""
        expected = self._expected.pop(handle, None)
        if expected is None:
            return
        if expected.timer is not None:
            expected.timer.cancel()
        if expected.dtls is not None:
            expected.dtls = None
            self.dropped += 1

    def close(self) -> None:
        """Drops everything, before the core that sends for it goes."""
        for handle in list(self._expected):
            self.forget(handle)

    def _go_on(self, handle: int, expected: _Expected, step: Callable[[Dtls], list[bytes]]) -> None:
        """Takes one step, sends what it gives, and tells whom it concerns what has come of it."""
        if expected.dtls is None:
            expected.dtls = Dtls(expected.certificate, expected.fingerprints, begins=expected.begins)
        dtls = expected.dtls
        was_keyed = dtls.keys is not None
        try:
            flight = step(dtls)
        except Exception as error:  # noqa: BLE001
            # Whatever the other end made OpenSSL stumble over is this session's failure only.
            self._fail(handle, expected, repr(error))
            return
        for datagram in flight:
            self._send(handle, datagram)
        if dtls.why:
            self._fail(handle, expected, dtls.why)
        elif dtls.is_closed:
            self.forget(handle)
            expected.outcome.closed()
        elif dtls.keys is not None and not was_keyed:
            self._later(handle, expected, SETTLE_SECONDS, self.forget)
            expected.outcome.keyed(dtls.keys)
        elif dtls.keys is None and (due := dtls.timeout) is not None:
            self._later(handle, expected, due, self._repeat)

    def _later(self, handle: int, expected: _Expected, seconds: float, then: Callable[[int], None]) -> None:
        if expected.timer is not None:
            expected.timer.cancel()
        expected.timer = asyncio.get_running_loop().call_later(seconds, then, handle)

    def _repeat(self, handle: int) -> None:
        expected = self._expected.get(handle)
        if expected is not None:
            self._go_on(handle, expected, Dtls.handle_timeout)

    def _fail(self, handle: int, expected: _Expected, why: str) -> None:
        if (left_out := self._failure_lines.passes()) is not None:
            _log.info("the DTLS handshake failed", handle=handle, why=why, left_out=left_out)
        self.forget(handle)
        expected.outcome.failed()
