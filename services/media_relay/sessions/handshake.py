"""DTLS over the packet core's datagrams: the only file that imports aiortc, or touches its private names."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from OpenSSL import SSL

from services.common.sight.log import get_logger
from services.common.tasks import Background
from services.common.throttle import Throttle
from services.media_relay.domain.media import SrtpKeys, SrtpProfile
from services.media_relay.sessions.dtls_trouble import Explained, allow_curves
from services.media_relay.sessions.ports import Outcome
from services.media_relay.sessions.sdp.offer import Fingerprint

SETTLE_SECONDS = 10.0
"""How long a finished handshake answers repeats of the client's last flight, before its 120 KB of state are dropped."""
CERTIFICATE_SECONDS = 7 * 24 * 3600.0
"""A fresh certificate weekly: aiortc's are valid for 30 days."""
QUEUED_DATAGRAMS = 16

# The cheapest to seal first: aiortc's own order would pick AES-256.
_PROFILES: dict[SrtpProfile, SRTPProtectionProfile] = {
    "AEAD_AES_128_GCM": SRTP_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": SRTP_AEAD_AES_256_GCM,
    "AES128_CM_HMAC_SHA1_80": SRTP_AES128_CM_SHA1_80,
}

_CIPHERS = b":".join(
    b"ECDHE-" + kind + b"-" + cipher
    for kind in (b"ECDSA", b"RSA")
    for cipher in (b"AES128-GCM-SHA256", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
)

_log = get_logger("webrtc")


class Certificate(RTCCertificate):
    """A certificate shared by all sessions, with its TLS context and fingerprint made once."""

    _context: SSL.Context | None = None
    _own_fingerprint: Fingerprint | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """What the answers announce."""
        if self._own_fingerprint is None:
            found = next(each for each in self.getFingerprints() if each.algorithm == "sha-256")
            self._own_fingerprint = Fingerprint(found.algorithm, found.value)
        return self._own_fingerprint

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            # The fingerprint proves a certificate, whatever it is made of: RSA where we are the client, and all curves.
            self._context.set_cipher_list(_CIPHERS)
            allow_curves(self._context)
        return self._context


class _Datagrams:
    """What aiortc takes for an ICE transport: datagrams in from the core, datagrams out to it."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._out = send
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_DATAGRAMS)

    async def _send(self, data: bytes) -> None:
        self._out(data)

    async def _recv(self) -> bytes:
        return await self.incoming.get()


class _Dtls(RTCDtlsTransport):
    """aiortc's transport, except that the SRTP keys are handed on instead of being used here."""

    def __init__(self, datagrams: _Datagrams, certificate: Certificate, role: str = "server") -> None:
        super().__init__(cast("Any", datagrams), [certificate])
        self._srtp_profiles = list(_PROFILES.values())
        self._set_role(role)
        self.keys: SrtpKeys | None = None
        self._explained: Explained | None = None

    def why(self, fingerprints: Sequence[Fingerprint]) -> str:
        """Why there are no keys."""
        return "no handshake took place" if self._explained is None else self._explained.why(fingerprints)

    def _set_state(self, state: State) -> None:
        if state is State.CONNECTING and self._ssl is not None:
            self._explained = Explained(self._ssl)
            self._ssl = cast("SSL.Connection", self._explained)
        super()._set_state(state)

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        chosen = self._ssl.get_selected_srtp_profile()
        for name, profile in _PROFILES.items():
            if profile.openssl_profile == chosen:
                size = 2 * (profile.key_length + profile.salt_length)
                material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", size)
                # Of each pair the first is the client's (RFC 5764 §4.2).
                client, server = (profile.get_key_and_salt(material, at) for at in (0, 1))
                ours, theirs = (server, client) if self._role == "server" else (client, server)
                self.keys = SrtpKeys(name, ours, theirs)
                return
        self._set_state(State.FAILED)

    def drop(self) -> None:
        """Lets go of the TLS state without a word: an orderly close would tell the client that the call is over."""
        self.remove_all_listeners()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._ssl = None


@dataclass(slots=True)
class _Expected:
    certificate: Certificate
    fingerprints: list[Fingerprint]
    outcome: Outcome
    begins: bool
    datagrams: _Datagrams | None = None
    transport: _Dtls | None = None
    running: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Handshakes:
    """The handshakes of sessions that are being opened.

    Nothing is allocated until a client's first flight arrives, or, where it waits for ours, until its address is known.
    How a handshake went is told to the outcome that came with it.
    """

    def __init__(self, background: Background, send: Callable[[int, bytes], None]) -> None:
        self._background = background
        self._send = send
        self._failure_lines = Throttle()
        self._expected: dict[int, _Expected] = {}
        self.dropped = 0
        """Handshakes whose state was let go, ever: their memory may be given back to the system."""
        self._certificate = Certificate.generateCertificate()
        self._certificate_until = asyncio.get_running_loop().time() + CERTIFICATE_SECONDS

    def __len__(self) -> int:
        """Handshakes expected, running or settling."""
        return len(self._expected)

    def expect(
        self, handle: int, fingerprints: list[Fingerprint], outcome: Outcome, *, begins: bool = False
    ) -> Fingerprint:
        """Gets ready for a session's handshake, which we begin or the client; returns the fingerprint to announce."""
        now = asyncio.get_running_loop().time()
        if now >= self._certificate_until:
            self._certificate = Certificate.generateCertificate()
            self._certificate_until = now + CERTIFICATE_SECONDS
        self._expected[handle] = _Expected(self._certificate, fingerprints, outcome, begins)
        return self._certificate.fingerprint

    def feed(self, handle: int, datagram: bytes) -> None:
        """Takes a DTLS datagram; more than a handshake can have in flight is dropped, and comes again."""
        expected = self._expected.get(handle)
        if expected is None:
            return
        incoming = self._started(handle, expected).incoming
        if not incoming.full():
            incoming.put_nowait(datagram)

    def reachable(self, handle: int) -> None:
        """The client's address is known: a handshake that is ours to begin begins."""
        expected = self._expected.get(handle)
        if expected is not None and expected.begins:
            self._started(handle, expected)

    def forget(self, handle: int) -> None:
        """Drops what is kept of a session's handshake."""
        expected = self._expected.pop(handle, None)
        if expected is None:
            return
        if expected.timer is not None:
            expected.timer.cancel()
        if expected.transport is not None:
            expected.transport.drop()
            expected.transport = None
            self.dropped += 1
        if expected.running is not None:
            expected.running.cancel()

    def close(self) -> None:
        """Drops everything, before the core that sends for it goes."""
        for handle in list(self._expected):
            self.forget(handle)

    def _started(self, handle: int, expected: _Expected) -> _Datagrams:
        """The datagrams of a handshake, which begins with them."""
        if expected.datagrams is None:
            expected.datagrams = _Datagrams(lambda data: self._send(handle, data))
            expected.running = self._background.spawn("DTLS handshake", lambda: self._run(handle, expected))
        return expected.datagrams

    async def _run(self, handle: int, expected: _Expected) -> None:
        assert expected.datagrams is not None
        role = "client" if expected.begins else "server"
        transport = expected.transport = _Dtls(expected.datagrams, expected.certificate, role)
        remote = [RTCDtlsFingerprint(algorithm=each.algorithm, value=each.value) for each in expected.fingerprints]
        why = ""
        try:
            await transport.start(RTCDtlsParameters(fingerprints=remote))
        except Exception as error:  # noqa: BLE001
            # Whatever the other end made OpenSSL stumble over is this session's failure only.
            why = repr(error)
        expected.running = None
        if self._expected.get(handle) is not expected:
            transport.drop()
        elif transport.keys is None:
            self._fail(handle, expected, why or transport.why(expected.fingerprints))
        else:
            transport.on("statechange", lambda: self._closed(handle, expected))
            expected.timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settle, handle, expected)
            expected.outcome.keyed(transport.keys)

    def _closed(self, handle: int, expected: _Expected) -> None:
        transport = expected.transport
        if transport is not None and transport.state == "closed" and self._expected.get(handle) is expected:
            self.forget(handle)
            expected.outcome.closed()

    def _settle(self, handle: int, expected: _Expected) -> None:
        if self._expected.get(handle) is expected:
            self.forget(handle)

    def _fail(self, handle: int, expected: _Expected, why: str) -> None:
        if (left_out := self._failure_lines.passes()) is not None:
            _log.info("the DTLS handshake failed", handle=handle, why=why, left_out=left_out)
        self.forget(handle)
        expected.outcome.failed()
